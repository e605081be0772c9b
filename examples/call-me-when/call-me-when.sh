#!/usr/bin/env bash
# Call a number when a value at an address falls below a limit.
#   call-me-when.sh NUMBER URL POINTER LIMIT
# OFFHOOK_URL: where the server is; OFFHOOK_API_KEY: a key of it.
set -euo pipefail

server=${OFFHOOK_URL:-http://127.0.0.1:7465}
key=${OFFHOOK_API_KEY:?set OFFHOOK_API_KEY to an API key of this server}
number=$1 url=$2 pointer=$3 limit=$4

# ask METHOD PATH [BODY]: prints the answer, and fails when it is a refusal.
ask() {
    local answer status
    answer=$(curl -sS -X "$1" "$server$2" -H "X-Api-Key: $key" ${3:+-d "$3"} -w '\n%{http_code}')
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    if [ "$status" -ge 400 ]; then
        echo "refused ($status): $(field error.message <<<"$answer")" >&2
        return 2
    fi
    printf '%s\n' "$answer"
}

# field NAME: one field of the JSON on standard input; dots lead into objects.
field() {
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value.get(name) if isinstance(value, dict) else None
print("" if value is None else value)' "$1"
}

body=$(python3 -c '
import json, sys
number, url, pointer, limit = sys.argv[1:]
print(json.dumps({
    "name": f"{pointer} below {limit}",
    "cron": "*/15 * * * *",
    "condition": {"type": "http", "url": url, "pointer": pointer, "op": "<", "value": float(limit)},
    "cooldown_seconds": 86400,
    "call": {"to": number, "task": "Tell them what was found, and ask whether to do anything about it."},
}))' "$number" "$url" "$pointer" "$limit")

made=$(ask POST /schedules "$body")
id=$(field schedule_id <<<"$made")
echo "schedule: $id, next at $(field next_due_at <<<"$made")"

would=$(ask POST "/schedules/$id/dry-run")
echo "now: $(field condition <<<"$would"): $(field evidence.reason <<<"$would")"
case $(field would_call <<<"$would") in
True) echo "it would call now" ;;
*) echo "it would not call now" ;;
esac
