#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# completion.sh XSD FOLDER: FOLDER's completions know every option of `XSD --help` and no other, every word that it names for a value,
# and work in the shells themselves; zsh's is tried where there is one.
set -euo pipefail
xsd=$1
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() {
  echo "$*" >&2
  faults=1
}
same() { # WHAT, WANTED, FOUND: words in any order
  [ "$(xargs -n1 <<<"$2" | sort)" = "$(xargs -n1 <<<"$3" | sort)" ] || fault "$1: wanted '$2', found '$3'"
}

options=$("$xsd" --help | grep -oE '^ +-.{30}' | grep -oE -- '(--?[a-z][a-z-]*)' | sort -u | xargs)
[ "$(wc -w <<<"$options")" -gt 20 ] || fault "--help has only '$options'"

# complete WORD...: what bash offers for the last word.
complete_bash() {
  bash --norc -c '
    source "$1"
    shift
    COMP_WORDS=(xsd "$@")
    COMP_CWORD=$#
    _xsd
    printf "%s\n" "${COMPREPLY[@]}"' bash "$folder/xsd.bash" "$@" | sort -u | xargs
}
mkdir -p "$work/conf.d"
touch "$work/xsd.yaml" "$work/inetd.conf"
cd "$work"
same 'bash, options' "$options" "$(complete_bash -)"
same 'bash, an option' '--log-file --log-format --log-level' "$(complete_bash --log-)"
same 'bash, --poller' 'epoll poll select' "$(complete_bash --poller '')"
same 'bash, --log-format=' 'json' "$(complete_bash --log-format = j)"
same 'bash, --log-level=' 'debug error info warning' "$(complete_bash --log-level =)"
same 'bash, --import' 'inetd xinetd' "$(complete_bash --import '')"
same 'bash, files to import' 'inetd.conf' "$(complete_bash --import inetd i)"
same 'bash, -c' 'conf.d xsd.yaml' "$(complete_bash -c '')"
same 'bash, --inetd' 'inetd.conf' "$(complete_bash --inetd i)"
same 'bash, a word that means nothing' '' "$(complete_bash xs)"

# Words that are values, as --help says them.
for line in "--poller epoll poll select" "--log-level error warning info debug" "--log-format text json" "--workers auto 0" "--import xinetd inetd"; do
  read -r option words <<<"$line"
  text=$("$xsd" --help | sed -n "/^ *$option /,/^ *-/p")
  for word in $words; do
    grep -qw -- "$word" <<<"$text" || fault "--help does not name '$word' of $option"
  done
  same "bash, $option" "$words" "$(complete_bash "$option" '')"
  grep -qF -- "$option=" "$folder/_xsd" && grep -F -- "$option=" "$folder/_xsd" | grep -qF "($words)" || fault "zsh, $option has other words"
done

if command -v zsh >/dev/null; then
  found=$(zsh -f -c '
    _arguments() { print -rl -- "${@:3}" }
    source "$1"' zsh "$folder/_xsd" | sed -E 's/^\([^)]*\)//; s/^\*:.*//; s/[]=+:[].*//' | sort -u | xargs)
  same 'zsh, options' "$options" "$found"
  # In a terminal of its own: what is offered behind --poller, and that "--dump" becomes the option.
  screen=$(timeout 20 zsh -f -c '
    zmodload zsh/zpty
    zpty shell "zsh -f -i"
    zpty -w shell "PS1=; unsetopt beep; fpath=($1 \$fpath); autoload -Uz compinit && compinit -u -D; print rea\\dy"
    zpty -r shell out "*ready*"
    zpty -n -w shell "xsd --poller=e"$'"'\t'"'"--dump"$'"'\t'"'
    zpty -r shell out "*--dump-config*"
    print -r -- "$out"
    zpty -d shell' zsh "$folder" 2>&1) || fault "zsh: $screen"
  grep -q -- '--poller=epoll' <<<"$screen" || fault "zsh offers: $screen"
else
  echo "no zsh: its completion is looked at as text only"
fi
exit "$faults"
