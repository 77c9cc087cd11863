"""Sample data with a known churn process: raw tables of any size, and the truth apart.

The truth is exact by construction. On the day a subscription starts, its probability of churn
within the horizon is computed from what the data show on that day and from nothing else: the
balances as they stand in `character_currency`, nulls included, the character's age and mastery, its
earlier subscriptions, and the terms agreed. Whether it churns is then drawn from that
probability. Only afterwards does the outcome act on the character: who churns stays away, earns
and spends next to nothing, and many take their hard currency with them. So a model that reads
later rows looks far better than the truth allows.

Facts that are null add nothing to the log-odds. Months are calendar months, as in the features.

    python -m churnlib.synthesis --game game1 --characters 3000 --seed 1 --out data/01_raw/game1
"""

from churnlib.synthesis.games import PROCESSES
from churnlib.synthesis.process import Process
from churnlib.synthesis.writing import Generated, generate

__all__ = ["PROCESSES", "Generated", "Process", "generate"]
