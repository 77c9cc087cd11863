#!/usr/bin/env bash
# Runs $DEPLOYMENT with the JSON in $PARAMETERS, waits for its end and passes on its exit status.
# If CI provides a file for a summary, writes the outcome and the end of the log to it.
set -euo pipefail
: "${PREFECT_API_URL:?set it to the address of the Prefect API}"
: "${DEPLOYMENT:?set it to <flow>/<game>}"

# Prefect would send an empty secret as a key.
[[ ${PREFECT_API_KEY:-} ]] || unset PREFECT_API_KEY
[[ ${PREFECT_API_AUTH_STRING:-} ]] || unset PREFECT_API_AUTH_STRING

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
prefect --no-prompt deployment run "$DEPLOYMENT" --params "${PARAMETERS:-{\}}" --watch 2>&1 \
  | tee "$log" || status=$?

summary=${SUMMARY:-${GITHUB_STEP_SUMMARY:-}}
if [[ $summary ]]; then
  ((status == 0)) && outcome=completed || outcome="failed (exit status $status)"
  {
    printf '## %s: %s\n\n```\n' "$DEPLOYMENT" "$outcome"
    tail -n 40 "$log"
    printf '```\n'
  } >>"$summary"
fi
exit "$status"
