"""The cmdlets about the default region, the list of regions, and the history."""

from __future__ import annotations

from typing import Any, Final

from lmfunction._aws_session import Region, known_regions
from lmfunction._connection import ambient_region
from lmfunction._door import NOTHING
from lmfunction._names import check_region
from lmfunction._order import Order
from lmfunction._record import Record, Records
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError

_TYPE: Final = "AWSRegion"
_CHINA: Final = "aws-cn"
_GOVERNMENT: Final = "aws-us-gov"


def set_region(order: Order) -> Any:
    """Set-DefaultAWSRegion."""
    order.refuse_inner_scope()
    region = check_region(order.arguments["region"])
    if order.may_change(region):
        names = [known.name for known in known_regions()]
        if region not in names:
            order.notices.warn(f"This boto3 does not know the region {region}.{did_you_mean(region, names)}")
        order.engine.shell.region = region
        order.warn_of_others("Region")
        order.warn_of_brevity("AWS_DEFAULT_REGION or `region` in ~/.aws/config keeps it.")
    return NOTHING


def get_region(order: Order) -> Any:
    """Get-DefaultAWSRegion: the session's, else what boto3's chain finds."""
    held = order.engine.shell.region
    region = held or ambient_region(None)
    if region is None:
        order.notices.verbose("No region is set, neither for the session nor for boto3.")
        return NOTHING
    title = next((known.title for known in known_regions() if known.name == region), "Unknown")
    return _record(region, title, held is not None)


def clear_region(order: Order) -> Any:
    """Clear-DefaultAWSRegion."""
    if order.may_change("the session's region"):
        order.engine.shell.region = None
    return NOTHING


def list_regions(order: Order) -> Any:
    """Get-AWSRegion: the regions of the public partitions but those of China and GovCloud, unless asked for."""
    default, name = order.engine.shell.region, order.get("system_name")
    if name is not None:
        found = [known for known in known_regions() if known.name == name.lower()]
        if not found:
            hint = did_you_mean(name, [known.name for known in known_regions()])
            shown = ascii_only(shorten(name, 40))
            raise ParameterError(f"This boto3 knows no region '{shown}'.{hint}", parameter="SystemName")
        return _record(found[0].name, found[0].title, found[0].name == default)
    regions = [known for known in known_regions() if _is_wanted(known, order)]
    return Records(_TYPE, [_record(known.name, known.title, known.name == default) for known in regions])


def _is_wanted(region: Region, order: Order) -> bool:
    if order.get("gov_cloud_only"):
        return region.partition == _GOVERNMENT
    if region.partition == _CHINA:
        return bool(order.get("include_china"))
    if region.partition == _GOVERNMENT:
        return bool(order.get("include_gov_cloud"))
    return "-iso" not in region.partition  # closed to the public; -SystemName still knows them


def _record(region: str, title: str, is_default: bool) -> Record:
    return Record(_TYPE, {"Region": region, "Name": title, "IsShellDefault": is_default}, title="Region")


def get_history(order: Order) -> Any:
    """Get-AWSHistory: the newest last."""
    records = order.engine.history.records()
    first, last = order.get("first"), order.get("last")
    wanted = records[:first] if first is not None else records[-last:] if last is not None else records
    return Records("AWSHistory", wanted)


def clear_history(order: Order) -> Any:
    """Clear-AWSHistory."""
    if order.may_change("the session's history"):
        order.engine.history.clear()
    return NOTHING


def configure_history(order: Order) -> Any:
    """Set-AWSHistoryConfiguration."""
    limit = order.get("max_cmdlet_history")
    if limit is None:
        raise ParameterError("MaxCmdletHistory is missing.", parameter="MaxCmdletHistory")
    if order.may_change(f"{limit} calls"):
        order.engine.history.limit = limit
        order.warn_of_brevity("The history of a process goes with it.")
    return NOTHING
