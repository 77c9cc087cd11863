#!/usr/bin/env bash
# Runs $DEPLOYMENT with the JSON in $PARAMETERS, waits for its end and passes on its exit status.
# If CI provides a file for a summary, writes the outcome and the end of the log to it.
set -euo pipefail
: "${PREFECT_API_URL:?set it to the address of the Prefect API}"
: "${DEPLOYMENT:?set it to <flow>/<game>}"

# Prefect would send an empty secret as a key.
[[ ${PREFECT_API_KEY:-} ]] || unset PREFECT_API_KEY
[[ ${PREFECT_API_AUTH_STRING:-} ]] || unset PREFECT_API_AUTH_STRING

# The log holds names and values from data. Without these characters it cannot change the terminal or
# the reading direction (the bytes are control characters, C1 controls, and marks of direction).
plain() {
  LC_ALL=C sed -uE $'s/\x1b\\[[0-9;?]*[ -/]*[@-~]//g; s/[\x01-\x08\x0b-\x1f\x7f]//g
    s/\xc2[\x80-\x9f]//g; s/\xd8\x9c//g; s/\xe2\x80[\x8e\x8f\xa8-\xae]//g; s/\xe2\x81[\xa6-\xa9]//g
    s/\xf3\xa0[\x80\x81][\x80-\xbf]//g'
}

# GitHub executes lines of the log that start with ::, unless a random word stops it.
word=
if [[ ${GITHUB_ACTIONS:-} ]]; then
  word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$word"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
prefect --no-prompt deployment run "$DEPLOYMENT" --params "${PARAMETERS:-{\}}" --watch 2>&1 \
  | plain | tee "$log" || status=$?
[[ -z $word ]] || echo "::$word::"

summary=${SUMMARY:-${GITHUB_STEP_SUMMARY:-}}
if [[ $summary ]]; then
  ((status == 0)) && outcome=completed || outcome="failed (exit status $status)"
  # Code blocks end at a line of as many backticks as they start with.
  fence=$(tail -n 40 "$log" | { grep -oE '`+' || true; } | awk '
    length($0) > most { most = length($0) }
    END { for (n = 0; n < (most < 3 ? 3 : most + 1); n++) printf "`" }')
  {
    printf '## %s: %s\n\n%s\n' "$(tr -cd 'A-Za-z0-9/_-' <<<"$DEPLOYMENT")" "$outcome" "$fence"
    tail -n 40 "$log" | awk 1 # Ends the last line.
    printf '%s\n' "$fence"
  } >>"$summary"
fi
exit "$status"
