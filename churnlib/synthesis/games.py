"""The processes of the sample games, which differ in categories, economy and causes of churn."""

from dataclasses import replace

from churnlib.synthesis.daily.process import DailyProcess, Packs, Play
from churnlib.synthesis.payments import Paces, Payments
from churnlib.synthesis.process import ChurnProcess, Economy, Effect, Interaction, Levels, Process

GAME1 = Process(
    game="game1",
    genders=Levels(("female", "male", "other"), (0.44, 0.51, 0.05)),
    races=Levels(("dwarf", "elf", "human", "orc"), (0.2, 0.3, 0.35, 0.15)),
    classes=Levels(
        ("druid", "mage", "ranger", "rogue", "warrior"),
        (0.15, 0.25, 0.2, 0.15, 0.25),
        effects=(-0.1, 0.15, 0.0, 0.05, -0.15),
    ),
    territories=Levels(
        ("east", "north", "south", "west"), (0.3, 0.25, 0.25, 0.2), effects=(0.1, -0.15, 0.0, 0.1)
    ),
    sub_types=Levels(
        ("basic", "standard", "premium"), (0.35, 0.4, 0.25), effects=(0.45, 0.0, -0.45), pull=0.4
    ),
    sub_sizes=Levels(("small", "medium", "large"), (0.4, 0.4, 0.2), pull=0.3),
    terms=Levels(("6", "12", "18", "24"), (0.45, 0.35, 0.1, 0.1), pull=0.3),
    prices=(6.99, 9.99, 14.99),
    size_factors=(0.8, 1.0, 1.5),
    payouts=(60, 250),
    discounts=(0.2, 0.15),
    economy=Economy(
        soft_income=500,
        soft_spending=0.22,
        purchase_chance=0.3,
        purchase=220,
        hard_spending=0.25,
        response=0.4,
    ),
    drift=0.85,
    subscribe_rate=0.055,
    renewal_rate=0.4,
    twin_rate=0.01,
    mastery_rate=0.06,
    kills=(40.0, 22.0),
    base_rate=0.15,
    effects=(
        Effect("soft_balance_diff_3", -1.45, centre=100, scale=300),
        Effect("hard_balance", -1.0, centre=250, scale=150),
        Effect("age_at_sub_months", -0.3, centre=8, scale=8),
        Effect("is_mastered", -0.3, centre=0.5, scale=0.5),
        Effect("hard_balance_diff_1", -0.3, centre=0, scale=120),
        Effect("months_since_previous_sub", 0.3, centre=12, scale=6),
        Effect("sub_months", -0.3, centre=10, scale=6),
    ),
    interactions=(
        Interaction(
            0.4,
            Effect("soft_balance_diff_3", 1.0, centre=100, scale=300),
            Effect("is_mastered", 1.0, centre=0.5, scale=0.5),
        ),
    ),
    centre=-0.435,
    spread=1.42,
)

GAME2 = Process(
    game="game2",
    genders=Levels(("female", "male"), (0.4, 0.6)),
    races=Levels(("android", "cyborg", "human", "mutant", "xeno"), (0.2, 0.2, 0.3, 0.15, 0.15)),
    classes=Levels(
        ("engineer", "gunner", "medic", "pilot"),
        (0.2, 0.35, 0.2, 0.25),
        effects=(-0.15, 0.15, -0.1, 0.05),
    ),
    territories=Levels(
        ("andromeda", "core", "frontier", "nebula", "rim"),
        (0.15, 0.35, 0.2, 0.15, 0.15),
        effects=(0.0, -0.15, 0.2, 0.0, 0.1),
    ),
    sub_types=Levels(("scout", "captain", "admiral"), (0.5, 0.35, 0.15), (0.3, 0.0, -0.5), 0.5),
    sub_sizes=Levels(("small", "medium", "large", "extra_large"), (0.3, 0.35, 0.25, 0.1), pull=0.4),
    terms=Levels(("6", "9", "12", "24"), (0.4, 0.2, 0.3, 0.1), pull=0.2),
    prices=(4.99, 8.99, 17.99),
    size_factors=(0.7, 1.0, 1.4, 2.0),
    payouts=(120, 600),
    discounts=(0.3, 0.25),
    economy=Economy(
        soft_income=1400,
        soft_spending=0.3,
        purchase_chance=0.45,
        purchase=400,
        hard_spending=0.3,
        response=0.5,
    ),
    drift=0.8,
    subscribe_rate=0.06,
    renewal_rate=0.3,
    twin_rate=0.015,
    mastery_rate=0.045,
    kills=(90.0, 60.0),
    base_rate=0.15,
    effects=(
        Effect("hard_balance_diff_3", -1.6, centre=0, scale=250),
        Effect("soft_balance", -1.1, centre=5200, scale=1800),
        Effect("hard_balance_mean", -0.4, centre=600, scale=350),
        Effect("age_at_sub_months", 0.4, centre=12, scale=10),
        Effect("sub_number", -0.3, centre=1.5, scale=1.0),
        Effect("price", 0.3, centre=9, scale=6),
    ),
    interactions=(
        Interaction(
            0.4,
            Effect("hard_balance_diff_3", 1.0, centre=0, scale=250),
            Effect("is_mastered", 1.0, centre=0.5, scale=0.5),
        ),
        Interaction(
            0.3,
            Effect("soft_balance", 1.0, centre=5200, scale=1800),
            Effect("age_at_sub_months", 1.0, centre=12, scale=10),
        ),
    ),
    centre=-0.11,
    spread=1.45,
)

GAME3 = DailyProcess(
    game="game3",
    countries=Levels(
        ("BR", "DE", "FR", "JP", "KR", "US"),
        (0.15, 0.15, 0.1, 0.15, 0.15, 0.3),
        effects=(0.2, 0.0, 0.05, -0.2, -0.1, 0.0),
    ),
    age_bands=Levels(("under 18", "18 to 24", "25 to 34", "35 and over"), (0.15, 0.35, 0.3, 0.2)),
    referrals=Levels(
        ("ad", "friend", "store", "streamer"),
        (0.35, 0.2, 0.3, 0.15),
    ),
    platforms=Levels(("console", "mobile", "pc"), (0.25, 0.35, 0.4)),
    streamers=0.04,
    plans=Levels(("bronze", "silver", "gold"), (0.5, 0.3, 0.2), (0.25, 0.0, -0.3), pull=0.4),
    prices=(4.99, 9.99, 14.99),
    terms=Levels(("6", "12", "24"), (0.45, 0.45, 0.1), pull=0.3),
    seasons=Levels(
        tuple(str(month) for month in range(1, 13)),
        (1 / 12,) * 12,
        effects=(-0.4, -0.2, -0.1, 0.0, 0.2, 0.5, 0.6, 0.4, 0.1, 0.0, -0.3, -0.5),
    ),
    play=Play(
        logins=0.095,
        weekend=1.7,
        response=0.7,
        minutes=40,
        purchase_chance=0.03,
        quit_rate=0.12,
    ),
    packs=Packs(
        Levels(("handful", "pouch", "chest", "hoard"), (0.4, 0.3, 0.2, 0.1), pull=0.3),
        prices=(1.99, 4.99, 9.99, 19.99),
        gems=(100, 280, 600, 1300),
    ),
    drift=0.75,
    subscribe_rate=0.065,
    renewal_rate=0.45,
    guild_rate=0.05,
    base_rate=0.15,
    effects=(
        Effect("login_trend", -1.3, centre=1.0, scale=0.7),
        Effect("logins_days_since_last", 1.0, centre=7, scale=6),
        Effect("purchases_price_sum_6mo", -0.7, centre=5, scale=8),
        Effect("logins_count_30d", -0.4, centre=5, scale=5),
        Effect("play_time_minutes_mean_3mo", -0.3, centre=60, scale=40),
        Effect("wallet_gems_diff_3", -0.3, centre=0, scale=150),
        Effect("age_at_sub_months", -0.25, centre=10, scale=10),
        Effect("is_guild_joined", -0.3, centre=0.5, scale=0.5),
    ),
    interactions=(
        Interaction(
            0.3,
            Effect("login_trend", 1.0, centre=1.0, scale=0.7),
            Effect("is_guild_joined", 1.0, centre=0.5, scale=0.5),
        ),
    ),
    centre=0.36,
    spread=1.69,
)

SHORT_TERMS = Levels(("1", "3", "6", "12", "24"), (0.4, 0.2, 0.2, 0.15, 0.05))
"""The terms of customers who pay or miss each month."""
LOGINS = Paces(
    rates=(0.006, 0.05, 0.17),
    shares=(0.2, 0.45, 0.35),
    after_payment=((0.86, 0.12, 0.02), (0.08, 0.84, 0.08), (0.02, 0.1, 0.88)),
    after_miss=((0.92, 0.07, 0.01), (0.4, 0.54, 0.06), (0.12, 0.38, 0.5)),
    effects=(2.0, 0.0, -1.8),
)
"""The logins of a working day."""
REWARDS = replace(LOGINS, rates=(0.5, 5.0, 16.0))
"""The rewards of a month."""
PAYMENTS = Payments(REWARDS, miss=(-2.9, 0.3, 0.8), renewal=(1.6, -2.0))
SEASONAL_PAYMENTS = replace(
    PAYMENTS, paces=LOGINS, seasons=GAME3.seasons.effects, not_renewed_months=1
)

GAME1_BY_MONTH = replace(
    GAME1,
    terms=SHORT_TERMS,
    subscribe_rate=0.045,
    effects=(
        Effect("age_at_sub_months", -0.8, centre=8, scale=8),
        Effect("months_since_previous_sub", 0.6, centre=6, scale=6),
        Effect("sub_months", -0.5, centre=6, scale=6),
    ),
    interactions=(),
    centre=0.0,
    payments=PAYMENTS,
)
GAME2_BY_MONTH = replace(
    GAME2,
    terms=SHORT_TERMS,
    subscribe_rate=0.045,
    effects=(
        Effect("age_at_sub_months", 0.8, centre=12, scale=10),
        Effect("sub_number", -0.8, centre=3, scale=3),
        Effect("price", 0.8, centre=9, scale=6),
    ),
    interactions=(),
    centre=0.0,
    payments=PAYMENTS,
)
GAME3_BY_MONTH = replace(
    GAME3,
    terms=SHORT_TERMS,
    seasons=replace(GAME3.seasons, effects=()),
    subscribe_rate=0.045,
    effects=(
        Effect("age_at_sub_months", -0.8, centre=10, scale=10),
        Effect("sub_months", -0.6, centre=6, scale=6),
    ),
    interactions=(),
    centre=0.0,
    payments=SEASONAL_PAYMENTS,
)

STANDARD = {process.game: process for process in (GAME1, GAME2)}
"""The processes of games with the standard tables that draw churn at the start."""
GRAINS: dict[str, dict[str, ChurnProcess]] = {
    "start": {**STANDARD, GAME3.game: GAME3},
    "monthly": {
        process.game: process for process in (GAME1_BY_MONTH, GAME2_BY_MONTH, GAME3_BY_MONTH)
    },
}
"""The processes by name of the game: those that draw churn at the start of a subscription, and
those whose customers pay or miss each month."""
PROCESSES: dict[str, ChurnProcess] = {**STANDARD, GAME3.game: GAME3_BY_MONTH}
"""The processes of the sample data, by name of the game."""
