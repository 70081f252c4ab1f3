"""The rows of the parameter table for verbs: what may stand after a `|`, under PowerShell's name and a short one."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Cmdlet, Example, Kind, Parameter

_OPERATOR_HELP: Final = {
    "EQ": "Equal.",
    "NE": "Not equal.",
    "GT": "Greater.",
    "GE": "Greater or equal.",
    "LT": "Less.",
    "LE": "Less or equal.",
    "Like": "Matches a wildcard pattern.",
    "NotLike": "Does not match a wildcard pattern.",
    "Match": "Matches a regular expression.",
    "NotMatch": "Does not match a regular expression.",
    "Contains": "The list has the value.",
    "NotContains": "The list does not have the value.",
    "In": "The value is in the list.",
    "NotIn": "The value is not in the list.",
}
OPERATOR_NAMES: Final = tuple(
    prefix + name if prefix == "" else prefix.upper() + name for name in _OPERATOR_HELP for prefix in ("", "C")
)


def _operators() -> tuple[Parameter, ...]:
    rows = []
    for name, text in _OPERATOR_HELP.items():
        rows.append(Parameter(name, Kind.SWITCH, text, aliases=(f"I{name}",)))
        rows.append(Parameter(f"C{name}", Kind.SWITCH, f"{text} Case counts."))
    return tuple(rows)


def _names(text: str, position: int | None = 1) -> Parameter:
    return Parameter("Property", Kind.NAMES, text, position=position)


SELECT: Final = Cmdlet(
    "Select-Object",
    ("select",),
    "Picks members, or objects by their place. A JMESPath expression, or names with commas between them.",
    (
        Parameter("Expression", Kind.EXPRESSION, "JMESPath, or NAME,NAME as -Property.", position=1),
        _names("The members to keep, as a new object; * and ? are wildcards.", None),
        Parameter("ExcludeProperty", Kind.NAMES, "Members to leave out."),
        Parameter("ExpandProperty", Kind.TEXT, "The member whose value is emitted; a list one by one."),
        Parameter("First", Kind.WHOLE, "Only the first N objects; then nothing more is read.", minimum=0),
        Parameter("Last", Kind.WHOLE, "Only the last N objects.", minimum=0),
        Parameter("Skip", Kind.WHOLE, "Leave out the first N objects; with -Last alone the last N.", minimum=0),
        Parameter("SkipLast", Kind.WHOLE, "Leave out the last N objects.", minimum=0),
        Parameter("Unique", Kind.SWITCH, "Each object once, after the other choices; case counts."),
    ),
    examples=(
        Example("select Payload.items[?price > `10`].id", "JMESPath as it is; quote an expression that holds a |."),
        Example("select FunctionName,Timeout -First 5", "Two members of the first five objects."),
    ),
)
_COMPARED: Final = (
    Parameter("Property", Kind.BLOCK, "A member's name, dotted; a { block }; or a JMESPath condition.", position=1),
    Parameter("Value", Kind.LITERAL, "What to compare with.", position=2),
    Parameter("Not", Kind.SWITCH, "The opposite."),
    *_operators(),
)
WHERE: Final = Cmdlet(
    "Where-Object",
    ("where",),
    "Keeps the objects that fit. Comparisons do not look at case; -ceq and its kin do.",
    _COMPARED,
    examples=(
        Example("where status -eq failed", "By a member."),
        Example("where { $_.price * $_.count > 100 }", "By a Python expression."),
    ),
)
EXPECT: Final = Cmdlet(
    "Expect-Object",
    ("expect",),
    "Lets objects through that fit, and fails the cell at the first that does not.",
    (*_COMPARED, Parameter("Message", Kind.TEXT, "What the failure says.")),
    examples=(Example("expect StatusCode -eq 200", "A runbook's check."),),
)
FOREACH: Final = Cmdlet(
    "ForEach-Object",
    ("foreach",),
    "Emits for each object what a { block }, a function or a member gives.",
    (
        Parameter(
            "Process",
            Kind.BLOCK,
            "A { block }, $function, or a member's name.",
            position=1,
            excludes=("MemberName", "Parallel"),
        ),
        Parameter("MemberName", Kind.TEXT, "The member to emit; a method is called.", excludes=("Parallel",)),
        Parameter("Parallel", Kind.BLOCK, "As Process, several at a time in threads; the order stays."),
        Parameter("ThrottleLimit", Kind.WHOLE, "How many at a time.", minimum=1, maximum=1000, default="5"),
    ),
    examples=(Example("foreach { $_.price * 1.2 }", "A new value for each object."),),
)
SORT: Final = Cmdlet(
    "Sort-Object",
    ("sort",),
    "Puts objects in order, by themselves, members or a { block }. What is missing comes first.",
    (
        _names("Members to sort by, or a { block }."),
        Parameter("Descending", Kind.SWITCH, "The greatest first."),
        Parameter("Unique", Kind.SWITCH, "Of equal ones the first."),
        Parameter("CaseSensitive", Kind.SWITCH, "Case counts."),
        Parameter("Top", Kind.WHOLE, "Only the first N.", minimum=0, excludes=("Bottom",)),
        Parameter("Bottom", Kind.WHOLE, "Only the last N.", minimum=0),
    ),
    examples=(Example("sort price -Descending", "The dearest first."),),
)
GROUP: Final = Cmdlet(
    "Group-Object",
    ("group",),
    "Groups objects by a member or a { block }: Name, Count and Group for each value.",
    (
        _names("Members to group by, or a { block }."),
        Parameter("NoElement", Kind.SWITCH, "Leave Group out."),
        Parameter("CaseSensitive", Kind.SWITCH, "Case counts."),
        Parameter("AsHashTable", Kind.SWITCH, "One mapping from value to its objects."),
    ),
    examples=(Example("group status -NoElement", "How many of each."),),
)
MEASURE: Final = Cmdlet(
    "Measure-Object",
    ("measure",),
    "Counts objects; sums and the like of a member or of the objects themselves.",
    (
        _names("Members to measure."),
        Parameter("Sum", Kind.SWITCH, "The sum."),
        Parameter("Average", Kind.SWITCH, "The mean."),
        Parameter("Minimum", Kind.SWITCH, "The least value."),
        Parameter("Maximum", Kind.SWITCH, "The greatest value."),
        Parameter("StandardDeviation", Kind.SWITCH, "The sample standard deviation."),
        Parameter("AllStats", Kind.SWITCH, "All of them."),
    ),
    examples=(Example("measure price -Sum -Average", "Figures of a member."),),
)
FIRST: Final = Cmdlet(
    "Select-First",
    ("first",),
    "Emits the first object, or the first N; then nothing more is read.",
    (Parameter("Count", Kind.WHOLE, "How many.", position=1, minimum=0, default="1"),),
    examples=(Example("first 3", "Three objects."),),
)
LAST: Final = Cmdlet(
    "Select-Last",
    ("last",),
    "Emits the last object, or the last N.",
    (Parameter("Count", Kind.WHOLE, "How many.", position=1, minimum=0, default="1"),),
    examples=(Example("last 3", "Three objects."),),
)
TEE: Final = Cmdlet(
    "Tee-Object",
    ("tee",),
    "Keeps the objects in a variable or a file, and lets them through.",
    (
        Parameter("FilePath", Kind.TEXT, "A file that gets one JSON line for each object.", position=1),
        Parameter("Variable", Kind.VARIABLE, "A variable that gets the objects as a list; +NAME appends."),
        Parameter("Append", Kind.SWITCH, "Add to the file."),
    ),
    examples=(Example("tee -Variable orders", "Kept as a list."),),
)
TO_JSON: Final = Cmdlet(
    "ConvertTo-Json",
    ("json", "convertto_json"),
    "Makes JSON text: of one object as it is, of several an array. Nothing is cut at any depth unless -Depth says so.",
    (
        Parameter("Depth", Kind.WHOLE, "Refuse what is nested deeper.", minimum=0, maximum=1000),
        Parameter("Compress", Kind.SWITCH, "On one line, without blanks."),
        Parameter("AsArray", Kind.SWITCH, "An array also for one object."),
    ),
    examples=(Example("json -Compress", "One line of text."),),
)
FROM_JSON: Final = Cmdlet(
    "ConvertFrom-Json",
    ("from_json", "convertfrom_json"),
    "Reads JSON text; an array is emitted one by one.",
    (
        Parameter("NoEnumerate", Kind.SWITCH, "An array stays one object."),
        Parameter("AsHashtable", Kind.SWITCH, "Taken for lines written for PowerShell: objects are dicts anyway."),
    ),
    examples=(Example("from_json", "Text to objects."),),
)
FORMAT_TABLE: Final = Cmdlet(
    "Format-Table",
    ("table", "format_table"),
    "Shows the objects as a table: the end of a pipeline.",
    (
        _names("The columns; unset, all members."),
        Parameter("AutoSize", Kind.SWITCH, "Taken for lines written for PowerShell: columns always fit."),
        Parameter("Title", Kind.TEXT, "What stands above."),
    ),
    examples=(Example("table id,status", "Two columns."),),
)
FORMAT_LIST: Final = Cmdlet(
    "Format-List",
    ("format_list",),
    "Shows each object with its members below each other: the end of a pipeline.",
    (_names("The members; unset, all."), Parameter("Title", Kind.TEXT, "What stands above.")),
    examples=(Example("format_list", "All members."),),
)
OUT_FILE: Final = Cmdlet(
    "Out-File",
    ("out_file",),
    "Writes a file: text as lines, other objects as JSON lines. Emits nothing.",
    (
        Parameter("FilePath", Kind.TEXT, "The file.", position=1, mandatory=True),
        Parameter("Append", Kind.SWITCH, "Add to it."),
        Parameter("NoClobber", Kind.SWITCH, "Refuse to replace a file."),
    ),
    examples=(Example("out_file orders.jsonl", "One JSON line for each object."),),
)
EXPORT_CSV: Final = Cmdlet(
    "Export-Csv",
    ("export_csv",),
    "Writes a CSV file with a header. Text that a spreadsheet would run as a formula gets a ' in front. Emits nothing.",
    (
        Parameter("Path", Kind.TEXT, "The file.", position=1, mandatory=True),
        Parameter("Delimiter", Kind.TEXT, "The character between cells.", default=","),
        Parameter("Append", Kind.SWITCH, "Add rows to it; no second header."),
        Parameter("NoClobber", Kind.SWITCH, "Refuse to replace a file."),
        Parameter("NoTypeInformation", Kind.SWITCH, "Taken for lines written for PowerShell: none is written anyway."),
    ),
    examples=(Example("export_csv failed.csv", "A row for each object."),),
)
IMPORT_CSV: Final = Cmdlet(
    "Import-Csv",
    ("import_csv",),
    "Reads a CSV file: a mapping of text for each row. Begins a pipeline.",
    (
        Parameter("Path", Kind.TEXT, "The file.", position=1, mandatory=True),
        Parameter("Delimiter", Kind.TEXT, "The character between cells.", default=","),
        Parameter("Header", Kind.NAMES, "Names of the columns, when the file has no header."),
    ),
    examples=(Example("import_csv jobs.csv | invoke_lm", "Columns bind the parameters of their names."),),
)
TO_FRAME: Final = Cmdlet(
    "ConvertTo-DataFrame",
    ("frame", "convertto_dataframe"),
    "Makes a data frame, a row for each object.",
    (
        Parameter("Library", Kind.CHOICE, "Which kind.", choices=("pandas", "polars"), default="what is installed"),
        _names("The columns; unset, all members.", None),
    ),
    examples=(Example("frame", "For pandas or polars."),),
)

VERBS: Final = (
    SELECT,
    WHERE,
    FOREACH,
    SORT,
    GROUP,
    MEASURE,
    FIRST,
    LAST,
    TEE,
    EXPECT,
    TO_JSON,
    FROM_JSON,
    FORMAT_TABLE,
    FORMAT_LIST,
    OUT_FILE,
    EXPORT_CSV,
    IMPORT_CSV,
    TO_FRAME,
)
