#!/usr/bin/env bash
# The input is a JSON object whose values the manifest has checked: no quote or backslash is in any of them.
set -euo pipefail

input=${1:-$(cat)}

# field NAME DEFAULT: the text of a name.
field() {
  local pattern="\"$1\"[[:space:]]*:[[:space:]]*\"([^\"]*)\""
  if [[ $input =~ $pattern ]]; then printf %s "${BASH_REMATCH[1]}"; else printf %s "$2"; fi
}

date=$(field date "")
add=$(field add "0 days")
# What is added comes first: behind a time of day, `-1` would be a time zone.
if ! sum=$(LC_ALL=C TZ=UTC date -d "$add $date 12:00" +'%F %A %-j %G-W%V' 2>/dev/null); then
  printf '{"error": "there is no date %s"}\n' "$date"
  exit 1
fi
read -r day weekday number week <<<"$sum"
printf '{"date": "%s", "weekday": "%s", "day_of_year": %d, "week": "%s"}\n' "$day" "$weekday" "$number" "$week"
