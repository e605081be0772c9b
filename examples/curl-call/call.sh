#!/usr/bin/env bash
# Place a call, follow it to its end, print what came of it. Needs bash and curl.
#
#   ./call.sh +14155550100 "Ask for an appointment on Thursday afternoon, for Jordan Lee."
#
# OFFHOOK_URL      where offhook listens (http://127.0.0.1:7465)
# OFFHOOK_API_KEY  the key to use; without one offhook may give one on the first call
# POLL_SECONDS     how often to ask (3)
#
# Exit code: 0 somebody picked up, 1 nobody did, 2 the call was refused or offhook can't be reached.
set -euo pipefail

url=${OFFHOOK_URL:-http://127.0.0.1:7465}
key=${OFFHOOK_API_KEY:-}
to=${1:?usage: call.sh NUMBER TASK}
task=${2:?usage: call.sh NUMBER TASK}

# The text of a field that occurs once, out of compact JSON. Good enough here; take jq for more.
field() {
    sed -nE "s/.*\"$1\":\"(([^\"\\\\]|\\\\.)*)\".*/\1/p" | sed -E 's/\\(["\\/])/\1/g'
}

# A JSON text.
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\t'/ }
    printf '"%s"' "${text//$'\n'/\\n}"
}

# Method, path and further options of curl; prints the body, fails on anything but success.
ask() {
    local method=$1 path=$2 body status
    shift 2
    [ -z "$key" ] || set -- "$@" -H "X-Api-Key: $key"
    body=$(curl -sS -m 30 -X "$method" -w '\n%{http_code}' "$@" "$url$path") || exit 2
    status=${body##*$'\n'}
    body=${body%$'\n'*}
    if [[ $status != 2?? ]]; then
        echo "refused ($status $(field code <<<"$body")): $(field message <<<"$body")" >&2
        exit 2
    fi
    echo "$body"
}

# With an Idempotency-Key the request can be repeated without a second call.
placed=$(ask POST /call -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)-$$-$RANDOM" \
    -d "{\"to\": $(quoted "$to"), \"task\": $(quoted "$task")}")
id=$(field call_id <<<"$placed")
minted=$(field api_key <<<"$placed")
if [ -n "$minted" ]; then
    key=$minted
    echo "key: $key   (keep it: it is shown once. export OFFHOOK_API_KEY=…)"
fi
echo "call: $id"

hang_up() {
    trap - INT TERM
    echo "hanging up" >&2
    ask POST "/call/$id/hangup" >/dev/null
}
trap hang_up INT TERM

lifecycle=
while [ "$lifecycle" != finalized ]; do
    call=$(ask GET "/call/$id")
    now=$(field lifecycle <<<"$call")
    if [ "$now" != "$lifecycle" ]; then
        echo "$now"
        lifecycle=$now
    fi
    [ "$lifecycle" = finalized ] || sleep "${POLL_SECONDS:-3}"
done

outcome=$(field outcome <<<"$call")
echo "outcome: $outcome ($(field end_reason <<<"$call"))"
echo "result: $(field summary <<<"$call")"
echo "recording: $(field recording_url <<<"$call")"
[ "$outcome" = answered ] || exit 1
