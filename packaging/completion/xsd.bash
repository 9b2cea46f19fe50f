# SPDX-License-Identifier: Apache-2.0
# bash completion for xsd(8). It needs nothing of the package bash-completion, which finds it by its name.

_xsd() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} format=
  COMPREPLY=()
  # --option=value comes as three words.
  if [[ $word == "=" ]]; then
    word=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $before in
    --import) mapfile -t COMPREPLY < <(compgen -W 'xinetd inetd' -- "$word"); return ;;
    --poller) mapfile -t COMPREPLY < <(compgen -W 'epoll poll select' -- "$word"); return ;;
    --workers) mapfile -t COMPREPLY < <(compgen -W 'auto 0' -- "$word"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$word"); return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word"); return ;;
    --port-offset) return ;;
    -c | --config)
      # Main files and folders of service files.
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -X '!*.yaml' -- "$word"; compgen -d -- "$word")
      return
      ;;
    --xinetd | --inetd | --pid-file | --control-socket | --log-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
  esac
  if [[ $word != -* ]]; then
    # Only --import takes paths.
    for format in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
      [[ $format == --import ]] || continue
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
    done
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W '-c --config --xinetd --inetd --check --dump-config --plugins --import -f --foreground
    -d --daemon --pid-file --control-socket --port-offset --poller --workers --log-level --log-format --log-file
    --version -h --help' -- "$word")
}

complete -F _xsd xsd
