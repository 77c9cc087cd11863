"""Sample data from a known churn process: raw tables of any size, and the true probabilities.

The probabilities are exact by construction. On the day a subscription starts, its probability of
churn within the horizon is computed only from what the raw tables show on that day: the balances in
`character_currency` with their nulls, the character's age and mastery, its earlier subscriptions,
and the new subscription's terms. Whether it churns is then drawn with that probability. Only after
that does the outcome influence the character: characters of churned subscriptions stop playing,
earn and spend almost nothing, and many spend their hard currency first. A model that reads later
rows therefore performs far better than the true probabilities allow.

Null values do not contribute to the log-odds. Months are calendar months, as in the features.

game1 and game2 have the standard tables. Those of game3 are its own, among them logins, purchases
and daily play time, which its churn follows from as much as from its three currencies: see
`churnlib.synthesis.daily`.

With `--grain monthly`, the default of game3, nothing is drawn at the start: customers pay or miss
each month of terms of 1 to 24 months, and renew them or not. There is a true probability for each
month in which a subscription runs, besides that of its start: see `churnlib.synthesis.monthly`.

    python -m churnlib.synthesis --game game1 --characters 3000 --seed 1 --out data/01_raw/game1
"""

from churnlib.synthesis.games import GRAINS, PROCESSES, STANDARD
from churnlib.synthesis.process import ChurnProcess, Process
from churnlib.synthesis.writing import Generated, generate

__all__ = ["GRAINS", "PROCESSES", "STANDARD", "ChurnProcess", "Generated", "Process", "generate"]
