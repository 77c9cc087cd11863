"""The parameters of a process day by day; its values are in `churnlib.synthesis.games`."""

from dataclasses import dataclass

from churnlib.synthesis.process import ChurnProcess, Levels


@dataclass(frozen=True, slots=True)
class Play:
    """What a character of average engagement does on a day.

    Attributes:
        logins: The mean number of logins.
        weekend: The factor of that number on Saturdays and Sundays.
        response: How strongly it depends on engagement, as an exponent.
        minutes: The mean minutes of play of a login.
        purchase_chance: The probability of a purchase on a day with a login.
        quit_rate: The monthly probability that one without a subscription stops playing.
    """

    logins: float
    weekend: float
    response: float
    minutes: float
    purchase_chance: float
    quit_rate: float


@dataclass(frozen=True, slots=True)
class Packs:
    """What is for sale: packs of gems.

    Attributes:
        levels: Their names, the smallest first, and how often each is bought.
        prices: Their prices.
        gems: The gems in each.
    """

    levels: Levels
    prices: tuple[float, ...]
    gems: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DailyProcess(ChurnProcess):
    """The process of a game with daily play, events and three currencies.

    Attributes:
        countries: Categories of the column `country`.
        age_bands: Categories of the column `age_band`.
        referrals: Categories of the column `referral`.
        platforms: Categories of the columns `signup_platform` and of a login's `platform`.
        streamers: The share of characters of streamers.
        plans: Categories of the column `plan`.
        prices: The monthly price of each plan.
        seasons: The months of the year, from 1, and their contributions to the log-odds of churn.
        play: What characters do on a day.
        packs: What they may buy.
        drift: The autocorrelation of engagement from month to month.
        guild_rate: The monthly probability that one of average engagement joins a guild.
    """

    countries: Levels
    age_bands: Levels
    referrals: Levels
    platforms: Levels
    streamers: float
    plans: Levels
    prices: tuple[float, ...]
    seasons: Levels
    play: Play
    packs: Packs
    drift: float
    guild_rate: float

    @property
    def columns(self) -> dict[str, Levels]:
        """The text columns, and the month of the year, that may affect churn, by name."""
        return {
            "country": self.countries,
            "age_band": self.age_bands,
            "referral": self.referrals,
            "signup_platform": self.platforms,
            "plan": self.plans,
            "month": self.seasons,
        }
