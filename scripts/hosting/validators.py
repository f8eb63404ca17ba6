"""What a host says of a picture so that it need not be sent again, and when it is not."""

import enum
from email.utils import parsedate_to_datetime

from hosting.pictures import Picture
from hosting.requests import Request


class Validators(enum.Enum):
    """What tells a picture from another."""

    BOTH = "an entity tag and the date of the last change"
    TAG = "the tag alone"
    WEAK = "a weak tag alone"
    DATE = "the date alone"
    NONE = "nothing"


def validated(picture: Picture, validators: Validators) -> Picture:
    """The picture with those validators only."""
    if validators is Validators.BOTH:
        return picture
    tag, date = picture.etag, picture.last_modified
    headers = picture.headers.replace(f"ETag: {tag}\r\n", "")
    headers = headers.replace(f"Last-Modified: {date}\r\n", "")
    if validators is Validators.DATE:
        headers += f"Last-Modified: {date}\r\n"
        return picture._replace(etag="", headers=headers)
    if validators is Validators.NONE:
        return picture._replace(etag="", last_modified="", headers=headers)
    tag = f"W/{tag}" if validators is Validators.WEAK else tag
    return picture._replace(etag=tag, last_modified="", headers=f"{headers}ETag: {tag}\r\n")


def unmodified(picture: Picture, request: Request) -> bool:
    """Whether the client has this picture already, by RFC 9110: a tag decides before a date."""
    named = request.headers.get("if-none-match")
    if named is not None:
        tags = {tag.strip().removeprefix("W/") for tag in named.split(",")}
        return "*" in tags or (bool(picture.etag) and picture.etag.removeprefix("W/") in tags)
    since = request.headers.get("if-modified-since")
    if since is None or not picture.last_modified:
        return False
    try:
        return parsedate_to_datetime(picture.last_modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):  # no date: the standard has it ignored
        return False
