"""Which file is which table of a game."""

from collections.abc import Iterable, Sequence

from churnlib.proposal.activity import find_activity
from churnlib.proposal.columns import File
from churnlib.proposal.links import Key, Link, find_links
from churnlib.proposal.subscriptions import find_misses, find_subscriptions
from churnlib.proposal.tables import Roles, Table


def find_roles(files: Sequence[File]) -> Roles:
    """Finds out which file is which table.

    The id of the characters is the column that is unique in one file and that most others share.
    Subscriptions have an id of their own, which misses refer to.
    """
    links, roles = find_links(files), Roles()
    characters = _characters(files, links)
    to_characters = _links_to(links, characters)
    if characters:
        roles.tables.append(Table(characters.file, "entity", {"char_id": characters.column}))
    else:
        roles.missing.append(
            "Characters: no column is unique in one file and shared by others. Prepare a file "
            "with a row per character, and at least their ids."
        )
    subs = find_subscriptions(files, to_characters, links)
    if subs:
        roles.tables.append(subs)
        misses = find_misses(roles.tables, links)
        roles.tables += [misses] if misses else []
    _say_what_is_missing(roles, subs)
    for file in files:
        if all(table.file is not file for table in roles.tables):
            table = find_activity(file, to_characters.get(id(file)))
            if isinstance(table, Table):
                roles.tables.append(table)
            else:
                roles.unplaced[file.name] = table or _why_unplaced(file, links, characters)
    return roles


def _characters(files: Sequence[File], links: Sequence[Link]) -> Key | None:
    """The ids that most other files share."""
    totals: dict[int, float] = {}
    keys = {id(link.key.column): link.key for link in links}
    for link in links:
        place = id(link.key.column)
        totals[place] = totals.get(place, 0) + link.score
    if totals:
        return keys[max(totals, key=lambda place: totals[place])]
    own = [Key(file, c) for file in files for c in file.columns.values() if c.is_key]
    return own[0] if len(files) == 1 and own else None


def _links_to(links: Iterable[Link], key: Key | None) -> dict[int, Link]:
    return {id(link.file): link for link in links if key and link.key.column is key.column}


def _say_what_is_missing(roles: Roles, subs: Table | None) -> None:
    if subs is None:
        roles.missing.append(
            "Subscriptions: no file has a row per subscription, with an id of its own, the id of "
            "the character, the day of the start and the months of the term. Prepare one."
        )
    if not roles.of_kind("misses"):
        roles.missing.append(
            "Missed months: no file refers to the id of a subscription with the first and the last "
            "missed month. Prepare one with a row per run of missed months: sub_id, start_date, "
            "end_date (empty while it goes on). Without it, no subscription churns."
        )


def _why_unplaced(file: File, links: Iterable[Link], characters: Key | None) -> str:
    for link in links:
        if link.file is file:
            return (
                f"refers to {link.key.file.name} by {link.column.name}, but has no id of a "
                "character: add it, to use the file"
            )
    for link in links:
        if link.key.file is file:
            return (
                f"is referred to by {link.file.name}, column {link.column.name}: join its columns "
                "into that file, to use them"
            )
    name = characters.column.name if characters else "the id of a character"
    return f"has no column that shares its values with {name}"
