#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plugin_manual.py HEADER GUIDE FRAME: writes xsd-plugin(3): the frame, with what the comments of xsd/plugin.h say of each of its parts in
the place of @ABOUT@, @TYPES@, @CONSTANTS@, @HOST@ and @CALLBACKS@, and the first plugin of the guide in that of @EXAMPLE@.

What it does not understand in the header is an error, so nothing of the interface is left out.
"""
import re
import sys

COMMENT = r"/\*(?:(?!\*/).)*\*/"


def words_of(comment):
    """Paragraphs of a comment, each as one line."""
    body = re.sub(r"^\s*\*(?: |$)", "", comment.strip()[2:-2], flags=re.M)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", body) if part.split()]


def title_of(comment):
    """Of `/* --- title --- */`; None of others."""
    match = re.fullmatch(r"[-=]{3,} ?(.*?) ?[-=]{3,}|(since [\d.]+) ---|-{3}", " ".join(words_of(comment)))
    return None if match is None else match.group(1) or match.group(2) or ""


def escape(text):
    return re.sub(r"`([^`]+)`", r"\\(oq\1\\(cq", text.replace("\\", "\\e").replace("-", "\\-"))


def prose(paragraphs):
    lines = []
    for number, paragraph in enumerate(paragraphs):
        if number > 0:
            lines.append(".Pp")
        for sentence in re.split(r"(?<=[.]) (?=[A-Z*-])", paragraph):
            line = escape(sentence)
            lines.append("\\&" + line if line[:1] in ".'" else line)
    return lines


def declared(text):
    """`const void* data` as it stands in manuals: `const void *data`."""
    return re.sub(r"(\w)(\*+) ?(?=[\w(])", r"\1 \2", " ".join(text.split())).replace("* (", "*(")


def spaced(kind):
    return re.sub(r"(\w)(\*+)", r"\1 \2", " ".join(kind.split()))


def arguments(text):
    out, depth, begin = [], 0, 0
    for at, char in enumerate(text + ","):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            out.append(declared(text[begin:at]))
            begin = at + 1
    return out


def quoted(text):
    return f'"{text}"' if re.search(r"[ *]", text) else text


def head_of(member):
    """The head of the item for one member of a struct."""
    function = re.fullmatch(r"(.*?)\(\*(\w+)\)\((.*)\)", member, flags=re.S)
    if function is None:
        kind, name = re.fullmatch(r"(.*?)(\w+)", member, flags=re.S).groups()
        return [f".It Vt {quoted(spaced(kind))} Va {name}"]
    kind, name, given = function.groups()
    return [".It Xo", f".Ft {quoted(spaced(kind))}", f".Fn {name} " + " ".join(map(quoted, arguments(given))), ".Xc"]


def members_of(body):
    """[(title or None, heads, paragraphs)] of a struct's body: a comment is about the members behind it up to the next one, or, at the end
    of a line, about those before it that have none."""
    out = []
    title = None
    for match in re.finditer(rf"(?P<comment>{COMMENT})|(?P<member>[^;/]+);[ \t]*(?P<behind>{COMMENT})?", body, flags=re.S):
        if match["comment"]:
            found = title_of(match["comment"])
            if found is None:
                out.append((title, [], words_of(match["comment"])))
                title = None
            elif found.startswith("since "):
                out.append((None, [], [f"What follows is there since version {found[6:]} of the interface."]))
                out.append((None, [], []))
            elif found:
                title = found
            continue
        if not out or title is not None or (match["behind"] and out[-1][2]):
            out.append((title, [], []))
            title = None
        out[-1][1].extend(head_of(match["member"].strip()))
        if match["behind"]:
            out[-1][2].extend(words_of(match["behind"]))
            out.append((None, [], []))
    left = re.sub(rf"{COMMENT}|[^;/]+;|\s", "", body, flags=re.S)
    if left:
        sys.exit(f"plugin_manual: what is '{left[:60]}'?")
    return out


def listing(members):
    lines, is_open = [], False
    for title, heads, paragraphs in members:
        if title is not None:
            lines += [".El"] * is_open + [f".Ss {title[0].upper()}{title[1:].partition(':')[0]}"]
            is_open = False
        if not heads:
            if paragraphs:
                lines += [".El"] * is_open + [".Pp"] + prose(paragraphs)
                is_open = False
            continue
        if not is_open:
            lines.append(".Bl -tag -width Ds")
            is_open = True
        lines += heads + prose(paragraphs)
    return "\n".join(lines + [".El"] * is_open)


def about(header):
    lines = []
    for paragraph in words_of(re.search(COMMENT, header, flags=re.S).group())[1:]:
        match = re.match(r"([A-Z][a-z ]{3,20})\. ", paragraph)
        if match:
            lines.append(f".Ss {match.group(1)}")
            paragraph = paragraph[match.end():]
        elif lines:
            lines.append(".Pp")
        lines += prose([paragraph])
    return "\n".join(lines)


def types(header):
    lines = []
    for comment, name, body in re.findall(rf"({COMMENT})\s*struct (xsd_\w+)(?: \{{(.*?)\n\}})?;", header, flags=re.S):
        if name in ("xsd_host", "xsd_plugin"):
            continue
        comment = re.findall(COMMENT, comment, flags=re.S)[-1]
        lines += [f".It Vt struct {name}", *prose(words_of(comment))]
        if body:
            lines.append(listing(members_of(body)))
    return "\n".join(lines)


def constants(header):
    """A comment before constants is about them all, one before a macro about it alone."""
    lines, is_open = [], False
    pattern = rf"(?:({COMMENT})\n)?^#define (XSD_\w+)(?:\(([\w, ]+)\))?(?:\\\n|[^\n/])*({COMMENT})?"
    found = {match.group(2): match for match in re.finditer(pattern, header, flags=re.S | re.M)}  # of two the last one
    del found["XSD_PLUGIN_H"]
    for match in found.values():
        before, name, given, behind = match.groups()
        if before and given is None:
            lines += [".El", ".Pp"] * is_open + prose(words_of(before))
            is_open = False
        if not is_open:
            lines.append(".Bl -tag -width Ds -compact")
            is_open = True
        lines.append(f".It Dv {name}" if given is None else f".It Fn {name} " + given.replace(", ", " "))
        lines += prose(words_of(behind) if behind else words_of(before) if before and given else [])
    return "\n".join(lines + [".El"])


def body_of(header, name):
    return re.search(rf"^struct {name} \{{(.*?)\n\}};", header, flags=re.S | re.M).group(1)


def example(guide):
    code = re.search(r"^```c\n(.*?)^```", guide, flags=re.S | re.M).group(1)
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in code.rstrip("\n").replace("\\", "\\e").split("\n"))


def main(header_path, guide_path, frame_path):
    header = open(header_path).read()
    page = open(frame_path).read()
    parts = {
        "ABOUT": about(header),
        "TYPES": types(header),
        "CONSTANTS": constants(header),
        "HOST": listing(members_of(body_of(header, "xsd_host"))),
        "CALLBACKS": listing(members_of(body_of(header, "xsd_plugin"))),
        "EXAMPLE": example(open(guide_path).read()),
    }
    for name, text in parts.items():
        page = page.replace(f"@{name}@", text)
    sys.stdout.write(page)


main(*sys.argv[1:])
