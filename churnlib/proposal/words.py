"""Words in the names of files and columns that tell what they mean, where the values do not."""

import re

WORDS = {
    "subscriptions": "sub|contract|plan|member|abo|vertr|licen[cs]e|policy|policies",
    "misses": "miss|fail|unpaid|arrear|default|lapse|skip|pause|overdue|dunning|ausf|mahn|versäum",
    "months": "month|term|duration|length|monat|laufzeit|dauer|mois|mes",
    "start": "start|begin|from|since|first|signed|open|activat|date|anfang|ab$|von|seit",
    "end": "end|until|till|to$|last|stop|expir|bis|cancel|kündig",
    "creation": "creat|regist|sign|join|start|since|first|install|open|onboard|entry|anmeld|seit|"
    "beginn|customerfrom",
    "birth": "birth|born|dob|geburt|bday",
    "price": "price|fee|amount|charge|cost|rate|revenue|preis|betrag|gebühr|prix|precio",
    "outcome": "churn|cancel|status|active|attrition|left|quit|retain|lost|kündig|last|terminat|"
    "expir|ended|risk|score",
    "time": "time|at$|date|day|when|stamp|ts$|tag|zeit|datum",
    "money": "price|amount|total|revenue|paid|cost|usd|eur",
}
"""Parts of names, by what they hint at."""


def hints(name: str, meaning: str) -> bool:
    """Whether a name hints at a meaning.

    >>> hints("Laufzeit (Monate)", "months"), hints("gender", "months")
    (True, False)
    """
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return re.search(rf"(?:{WORDS[meaning]})", words) is not None
