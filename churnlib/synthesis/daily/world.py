"""The simulation of a game day by day: play, purchases, currencies, subscriptions and churn."""

from dataclasses import dataclass

import numpy as np

from churnlib.synthesis import span
from churnlib.synthesis.daily.facts import days_since_last, ratio, total
from churnlib.synthesis.daily.process import DailyProcess
from churnlib.synthesis.population import Array, Population
from churnlib.synthesis.span import MONTHS, STARTS, month_of
from churnlib.synthesis.subscriptions import (
    MONTH_PROBABILITY,
    SUBSCRIPTION,
    choose,
    draw_churn,
    draw_misses,
    term_months,
)
from churnlib.synthesis.truth import Floats, churn_probability

DAYS = int(STARTS[MONTHS] - STARTS[0])
"""The number of days."""
CURRENCIES = ("gold", "gems", "tokens")
NOT_YET = 100_000
"""The day on which a character without a guild joins one."""
NULL_SHARE = 0.01
"""The share of nulls in each currency."""
ABSENT_PLAY = 0.02
"""The remaining share of logins while a character is away."""
LOGINS_ARRIVE, PLAY_TIME_ARRIVES, PURCHASES_ARRIVE = 1, 1, 1
"""The days after which logins, play time and purchases are known."""


@dataclass(frozen=True, slots=True)
class DailyWorld:
    """A simulated chunk of characters.

    Characters are numbered in order of creation. What they do is of shape (days, characters), and
    `packs` counts packs from 1, with 0 for no purchase. Currencies are of shape (months,
    characters); values before a character's `first_month` are meaningless.
    """

    characters: dict[str, Array]
    first_month: Array
    logins: Array
    minutes: Array
    packs: Array
    wallet: dict[str, Array]
    nulls: dict[str, Array]
    subscriptions: Array
    runs: Array
    probabilities: Array


class DailySimulation(Population):
    """The state of a chunk of characters, which `run` advances month by month."""

    def __init__(
        self, process: DailyProcess, characters: int, signal: float, rng: np.random.Generator
    ) -> None:
        """Creates the characters; the first `alive[m]` of them exist in month m."""
        super().__init__(characters, rng)
        self.process, self.signal = process, signal
        self.traits = {
            "country": choose(process.countries, characters, rng),
            "age_band": choose(process.age_bands, characters, rng),
            "referral": choose(process.referrals, characters, rng),
            "signup_platform": choose(process.platforms, characters, rng),
            "is_streamer": rng.random(characters) < process.streamers,
        }
        self.draw_engagement()
        self.guild = np.full(characters, NOT_YET, np.int32)

        self.logins = np.zeros((DAYS, characters), np.uint8)
        self.minutes = np.zeros((DAYS, characters), np.int16)
        self.packs = np.zeros((DAYS, characters), np.int8)
        shape = (MONTHS + 1, characters)
        self.wallet = {name: np.zeros(shape, np.int32) for name in CURRENCIES}
        self.nulls = {name: rng.random(shape, dtype=np.float32) < NULL_SHARE for name in CURRENCIES}
        self.balance = {name: np.zeros(characters) for name in CURRENCIES}

    def run(self) -> DailyWorld:
        """Simulates all months."""
        for month in range(MONTHS):
            self.advance(month)
        self.record_balances(MONTHS)
        self.finish()
        dates: dict[str, Array] = {"creation": self.created, "guild": self.guild}
        achievements = self.rng.poisson(self.minutes.sum(axis=0, dtype=np.int64) / 120)
        return DailyWorld(
            {**self.traits, **dates, "achievements": achievements},
            self.first_month,
            self.logins,
            self.minutes,
            self.packs,
            self.wallet,
            self.nulls,
            np.concatenate([np.zeros(0, SUBSCRIPTION), *self.subscriptions]),
            np.concatenate([np.zeros((0, 3), np.int32), *self.runs]),
            np.concatenate([np.zeros(0, MONTH_PROBABILITY), *self.probabilities]),
        )

    def advance(self, month: int) -> None:
        """Simulates a month."""
        self.record_balances(month)
        self.leave(self.open[self.open["fatal"] == month])
        self.join_guilds(month)
        self.play(month)
        self.start_subscriptions(month)
        self.miss(month)
        self.earn_and_spend(month)
        self.change_engagement(month)

    def record_balances(self, month: int) -> None:
        """Records the balances at the beginning of a month."""
        for name, balance in self.balance.items():
            self.wallet[name][month] = balance

    def leave(self, subs: Array) -> None:
        """Lets the characters of subscriptions whose churn begins stop playing."""
        self.away[subs["character"]] = True

    def join_guilds(self, month: int) -> None:
        """Lets some characters join a guild, more often the engaged ones."""
        n = self.alive[month]
        chance = self.process.guild_rate * np.exp(0.5 * self.engagement[:n])
        new = self.rng.random(n) < np.where(self.away[:n], 0, chance)
        who = np.flatnonzero(new & (self.guild[:n] > STARTS[month]))
        day = STARTS[month] + self.rng.integers(0, span.LENGTHS[month], len(who))
        self.guild[who] = np.maximum(day, self.created[who])

    def play(self, month: int) -> None:
        """Simulates the logins, the minutes and the purchases of each day of a month."""
        n, rng, play, packs = self.alive[month], self.rng, self.process.play, self.process.packs
        days = np.arange(STARTS[month], STARTS[month + 1])[:, None]
        mood = self.engagement[:n]
        rate = self.login_rate(month) * weekend_factor(self.process, days)
        rate = rate * (days >= self.created[:n])
        logins = np.minimum(rng.poisson(rate), 255).astype(np.uint8)

        day, who = np.nonzero(logins)
        typical = play.minutes * np.exp(0.3 * mood[who]) * logins[day, who]
        minutes = np.clip(np.rint(typical * rng.uniform(0.3, 1.7, len(who))), 1, 1200)
        buys = rng.random(len(who)) < play.purchase_chance * np.exp(0.5 * mood[who])
        bought = 1 + choose(packs.levels, int(buys.sum()), rng, mood[who[buys]])

        at = slice(STARTS[month] - STARTS[0], STARTS[month + 1] - STARTS[0])
        self.logins[at, :n] = logins
        self.minutes[at][day, who] = minutes
        self.packs[at][day[buys], who[buys]] = bought

    def login_rate(self, month: int) -> Floats:
        """Returns the mean number of logins of each living character on a working day."""
        n, play = self.alive[month], self.process.play
        rate = play.logins * np.exp(play.response * self.engagement[:n])
        return np.where(self.away[:n], ABSENT_PLAY * rate, rate)

    def start_subscriptions(self, month: int) -> None:
        """Starts subscriptions of characters without one, and draws when each will churn."""
        rng, process = self.rng, self.process
        who, day = self.draw_subscribers(month, process)

        subs = np.zeros(len(who), SUBSCRIPTION)
        subs["character"], subs["start"] = who, day
        subs["sub_type"] = choose(process.plans, len(who), rng, self.engagement[who])
        subs["term"] = choose(process.terms, len(who), rng, self.engagement[who])
        subs["price"] = np.asarray(process.prices)[subs["sub_type"]]
        subs["number"] = self.count + np.arange(len(subs))
        self.count += len(subs)
        subs["probability"] = churn_probability(
            process, self.signal, self.facts(month, subs), self.categories(month, subs)
        )
        draw_churn(process, rng, month, subs)
        self.open = np.concatenate([self.open[self.open["end"] > month], subs])
        self.subscriptions.append(subs)
        self.busy_until[who] = subs["end"]
        self.previous_start[who] = month
        self.away[who] = False
        self.stop_at_once(month, subs[subs["fatal"] == month])

    def stop_at_once(self, month: int, subs: Array) -> None:
        """Removes the play of the rest of the month after a start whose churn begins in it."""
        end = STARTS[month + 1] - STARTS[0]
        for who, start in zip(subs["character"], subs["start"] - STARTS[0], strict=True):
            for daily in (self.logins, self.minutes, self.packs):
                daily[start + 1 : end, who] = 0

    def facts(self, month: int, subs: Array) -> dict[str, Floats]:
        """Returns the numeric features of subscriptions; NaN is null."""
        who, start = subs["character"], subs["start"]
        previous = self.previous_start[who]
        gems = self.visible("gems", month, who)
        facts = {
            "age_at_sub_months": (month - month_of(self.created[who])).astype(float),
            "is_guild_joined": (self.guild[who] <= start).astype(float),
            "is_streamer": self.traits["is_streamer"][who].astype(float),
            "months_since_previous_sub": np.where(previous >= 0, month - previous, np.nan),
            "sub_months": term_months(self.process, subs).astype(float),
            "wallet_gems": gems,
            "wallet_gems_diff_3": gems - self.visible("gems", month - 3, who),
        }
        return facts | self.facts_of_play(month, who, start)

    def facts_of_play(self, month: int, who: Array, start: Array) -> dict[str, Floats]:
        """Returns the features from logins, purchases and play time; NaN is null."""
        known = start - LOGINS_ARRIVE
        recent = total(self.logins, who, start - 29, known)
        before = total(self.logins, who, start - 59, start - 30)
        half_year = np.full(len(who), STARTS[max(month - 5, 0)])
        quarter = np.full(len(who), STARTS[max(month - 2, 0)])
        known_play = start - PLAY_TIME_ARRIVES
        minutes = total(self.minutes, who, quarter, known_play)
        days = total(self.minutes > 0, who, quarter, known_play)
        spent = np.asarray((0.0, *self.process.packs.prices))[self.packs[:, who]]
        everyone = np.arange(len(who))
        return {
            "logins_count_30d": recent,
            "login_trend": ratio(recent, before),
            "logins_days_since_last": days_since_last(self.logins, who, start, known),
            "play_time_minutes_mean_3mo": ratio(minutes, days),
            "purchases_price_sum_6mo": total(spent, everyone, half_year, start - PURCHASES_ARRIVE),
        }

    def categories(self, month: int, subs: Array) -> dict[str, Array]:
        """Returns the codes of the text columns, and of the month of the year."""
        who = subs["character"]
        own = {column: codes[who] for column, codes in self.traits.items()}
        return {**own, "plan": subs["sub_type"], "month": np.full(len(who), month % 12)}

    def visible(self, name: str, month: int, who: Array) -> Floats:
        """Returns a month's balances as in the raw table; NaN where there is no row, or a null."""
        if month < 0:
            return np.full(len(who), np.nan)
        shown = (self.first_month[who] <= month) & ~self.nulls[name][month, who]
        return np.where(shown, self.wallet[name][month, who], np.nan)

    def miss(self, month: int) -> None:
        """Starts runs of missed months."""
        mood = self.engagement[self.open["character"]]
        self.runs.append(draw_misses(self.rng, month, self.open, mood))
        leavers = self.open[self.open["fatal"] == month]
        self.leave(leavers)
        self.engagement[leavers["character"]] -= 1.5

    def earn_and_spend(self, month: int) -> None:
        """Adds what a month's play and purchases earned to the balances, and spends a part."""
        n, rng = self.alive[month], self.rng
        at = slice(STARTS[month] - STARTS[0], STARTS[month + 1] - STARTS[0])
        minutes = self.minutes[at, :n].sum(axis=0, dtype=np.int64)
        gems = np.asarray((0, *self.process.packs.gems))[self.packs[at, :n]].sum(axis=0)
        in_guild = self.guild[:n] < STARTS[month + 1]
        earned = {"gold": 3 * minutes, "gems": gems, "tokens": np.where(in_guild, minutes / 20, 0)}
        spending = np.where(minutes > 0, rng.uniform(0.1, 0.5, n), 0)
        for name, balance in self.balance.items():
            balance[:n] = np.rint(balance[:n] * (1 - spending) + earned[name])

    def change_engagement(self, month: int) -> None:
        """Changes the engagement of each character, and lets some stop playing or return."""
        n, rng, process = self.alive[month], self.rng, self.process
        habit, drift, away = self.habit[:n], process.drift, self.away[:n]
        noise = rng.normal(0, 0.8 * np.sqrt(1 - drift**2), n)
        self.engagement[:n] = habit + drift * (self.engagement[:n] - habit) + noise
        free = self.busy_until[:n] <= month + 1
        chance = process.play.quit_rate * np.exp(-0.5 * self.engagement[:n])
        draw = rng.random(n)
        back = away & free & (draw < 0.05)
        quits = ~away & free & (draw < chance)
        self.away[:n] = (away & ~back) | quits


def weekend_factor(process: DailyProcess, days: Array) -> Array:
    """Returns the factor of the logins of each day since 1970-01-01, a Thursday."""
    return np.where((days + 3) % 7 >= 5, process.play.weekend, 1)
