"""INI text edited line by line, so that every byte which nobody asked to change stays: comments, order, line ends.

Lines mean what Python's configparser takes them for, because that is what boto3 and the AWS CLI read these files with.
Each edit is read back with it; text in which an edit would mean something else is refused.
"""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Sections = dict[str, dict[str, str]]
IsSection = Callable[[str], bool]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_OPTION = re.compile(r"(?P<option>.*?)\s*[=:]")


class IniError(ValueError):
    """Text that is no INI file, or cannot be edited without changing what else it says. Tells no line's content."""


@dataclass(frozen=True)
class _Line:
    text: str
    kind: Literal["header", "option", "more", "blank", "comment"]
    name: str = ""  # of the section, or of the option in lower case

    @property
    def indent(self) -> str:
        return self.text[: len(self.text) - len(self.text.lstrip())]

    @property
    def end(self) -> str:
        return self.text[len(self.text.rstrip("\r\n")) :]


def parsed(text: str) -> Sections:
    """The sections with their options, names in lower case. Raises IniError, which tells the line."""
    reader = configparser.RawConfigParser(default_section="\0")  # [DEFAULT] is a section like any other here
    try:
        reader.read_file(io.StringIO(text, newline=None))
    except configparser.DuplicateSectionError as error:
        raise IniError(f"line {error.lineno}: the section [{error.section}] stands there a second time") from None
    except configparser.DuplicateOptionError as error:
        raise IniError(f"line {error.lineno}: {error.option} stands in [{error.section}] a second time") from None
    except configparser.MissingSectionHeaderError as error:
        raise IniError(f"line {error.lineno}: it stands in no [section]") from None
    except configparser.ParsingError as error:
        raise IniError(f"line {error.errors[0][0]}: it is no `name = value`") from None
    except configparser.Error as error:
        raise IniError(type(error).__name__) from None
    return {section: dict(reader.items(section)) for section in reader.sections()}


def with_values(text: str, header: str, values: Mapping[str, str | None], is_section: IsSection) -> str:
    """`text` with these values in the section that `is_section` knows by its name; None takes a value away.

    Where there is no such section, `[header]` is added at the end; one that is left without a value goes. Raises
    IniError.
    """
    before = parsed(text)
    section = _section_of(before, is_section)
    wanted = {name.lower(): value for name, value in values.items()}
    if section is None:
        given = {name: value for name, value in wanted.items() if value is not None}
        return _read_back(_with_section(text, header, given), {**before, header: given}) if given else text
    left = {n: v for n, v in {**before[section], **wanted}.items() if v is not None}
    if not left and before[section]:
        return without_section(text, is_section)
    lines = _in_section(list(_lines(text)), section, wanted, before[section])
    return _read_back("".join(lines), {**before, section: left})


def without_section(text: str, is_section: IsSection) -> str:
    """`text` without the section that `is_section` knows by its name. Comments behind its last value stay.

    Raises IniError.
    """
    before = parsed(text)
    section = _section_of(before, is_section)
    if section is None:
        return text
    lines = list(_lines(text))
    start = next(i for i, line in enumerate(lines) if line.kind == "header" and line.name == section)
    end = _end_of_values(lines, start)
    while end < len(lines) and lines[end].kind == "blank":
        end += 1
    kept = [line.text for line in (*lines[:start], *lines[end:])]
    return _read_back("".join(kept), {name: options for name, options in before.items() if name != section})


def _section_of(sections: Sections, is_section: IsSection) -> str | None:
    found = [name for name in sections if is_section(name)]
    if len(found) > 1:
        raise IniError(f"[{found[0]}] and [{found[1]}] mean the same profile; keep one")
    return found[0] if found else None


def _in_section(
    lines: list[_Line], section: str, wanted: Mapping[str, str | None], had: Mapping[str, str]
) -> list[str]:
    start = next(i for i, line in enumerate(lines) if line.kind == "header" and line.name == section)
    end = _end_of_values(lines, start)
    changed = {name: value for name, value in wanted.items() if had.get(name) != value}
    found: list[str] = []
    dropping = False
    for line in lines[start + 1 : end]:
        if line.kind == "option":
            dropping = line.name in changed
            value = changed.pop(line.name) if dropping else None
            if value is not None:
                spelled = line.text.lstrip()[: len(line.name)]
                found.append(f"{line.indent}{spelled} = {value}{line.end}")
        if not dropping or line.kind in ("comment", "blank"):
            found.append(line.text)
    indent = next((line.indent for line in reversed(lines[start:end]) if line.kind in ("option", "header")), "")
    new = [f"{indent}{name} = {value}" for name, value in changed.items() if value is not None]
    head = [line.text for line in lines[: start + 1]] + found
    return _joined(head, new, [line.text for line in lines[end:]])


def _joined(head: list[str], new: list[str], tail: list[str]) -> list[str]:
    """The pieces in order, each new line with an end like that of the others; the last keeps having none."""
    if not new:
        return [*head, *tail]
    end = _line_end("".join(head))
    if head and not head[-1].endswith(("\r", "\n")):
        return [*head[:-1], head[-1] + end, *(line + end for line in new[:-1]), new[-1], *tail]
    return [*head, *(line + end for line in new), *tail]


def _with_section(text: str, header: str, values: Mapping[str, str]) -> str:
    end = _line_end(text)
    lead = "" if not text or text.endswith(("\r", "\n")) else end
    gap = end if text.strip() and not re.search(r"(?:\r\n|\r|\n)[ \t]*(?:\r\n|\r|\n)\Z", text) else ""
    return text + lead + gap + end.join([f"[{header}]", *(f"{n} = {v}" for n, v in values.items())]) + end


def _line_end(text: str) -> str:
    match = re.search(r"\r\n|\r|\n", text)
    return match.group() if match else "\n"


def _end_of_values(lines: list[_Line], start: int) -> int:
    """The index behind the last line of the section's last value, or behind its header."""
    end = start + 1
    for index in range(start + 1, len(lines)):
        if lines[index].kind == "header":
            break
        if lines[index].kind in ("option", "more"):
            end = index + 1
    return end


def _lines(text: str) -> Iterator[_Line]:
    """The lines as configparser takes them: a deeper line goes on with the value above it."""
    level, in_section, in_option = 0, False, False
    for raw in _LINE.findall(text):
        value = raw.strip()
        indent = len(raw) - len(raw.lstrip())
        if not value or value[0] in "#;":
            yield _Line(raw, "comment" if value else "blank")
            continue
        if in_section and in_option and indent > level:
            yield _Line(raw, "more")
            continue
        level = indent
        header = _HEADER.match(value)
        if header is not None:
            in_section, in_option = True, False
            yield _Line(raw, "header", header["header"])
            continue
        option = _OPTION.match(value)
        in_option = True
        yield _Line(raw, "option", option["option"].rstrip().lower() if option else "")


def _read_back(text: str, wanted: Sections) -> str:
    try:
        found = parsed(text)
    except IniError:
        found = {}
    if found != wanted:
        raise IniError("it is written in a way that cannot be edited safely; edit it by hand")
    return text
