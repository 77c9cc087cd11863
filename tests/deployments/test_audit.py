"""`make audit` says what is vulnerable, and that it could not tell."""

import json
import subprocess
from typing import Any

import pytest

from deployments import audit

FAULT = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": []}


@pytest.mark.parametrize(
    ("output", "errors", "status", "said"),
    [
        (
            json.dumps({"dependencies": [{"name": "a", "version": "1.0", "vulns": [FAULT]}]}),
            "",
            1,
            "a 1.0: PYSEC-1, fixed in 2.0\n1 packages audited, 1 known vulnerabilities\n",
        ),
        (
            json.dumps({"dependencies": [{"name": "a", "version": "1.0", "vulns": []}]}),
            "",
            0,
            "1 packages audited, 0 known vulnerabilities\n",
        ),
        (
            "",
            "Traceback\nConnectionError: no route",
            audit.UNREACHABLE,
            "not audited: no database of vulnerabilities can be reached "
            "(ConnectionError: no route)\n",
        ),
    ],
)
def test_audit_reports(
    output: str,
    errors: str,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[-2:] == ["--requirement", "x.lock"]
        return subprocess.CompletedProcess(command, 0, output, errors)

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main(["x.lock"]) == status
    assert capsys.readouterr().out == said
