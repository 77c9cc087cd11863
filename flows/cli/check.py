"""`churn check`: reads the raw data of a game, and tells whether a run would accept them."""

from churnlib.io.storage import write_text
from churnlib.profile import profile_game
from churnlib.report.data_profile import profile_html, profile_text
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.parameters import RunOptions
from flows.cli.session import checked_settings
from flows.engine.scratch import scratch_folder


def check(run: RunOptions, page: str | None) -> int:
    """Prints what the raw data hold, and writes nothing but the page.

    Args:
        run: The game, its data, and the day and settings that a run would be called with.
        page: The file to write the same to as a page; None for no page.

    Returns:
        The exit status: `USERS_FAULT` if a run would be refused.

    Raises:
        ChurnlibError: The settings are invalid, the data cannot be reached, or the page cannot be
            written.
    """
    settings = checked_settings(run)
    with scratch_folder(settings.engine) as scratch:
        profile = profile_game(settings, scratch)
    print(profile_text(profile), end="")
    if page is not None:
        write_text(profile_html(profile), page)
        print(f"\n{page}")
    return USERS_FAULT if profile.refusals else DONE
