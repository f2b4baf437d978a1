# Secrets come first, each as a line; then the length of the input; then the input. The program gets it as first argument, if
# the system takes it, and as standard input. How it ended is said on both streams, after everything that it wrote.
while read -r n name value; do
  [ "$n" = secret ] || break
  value=$(printf '%b.' "$value")
  value=${value%.}
  (umask 077 && printf %s "$value" >"/run/secrets/$name")
  export "$name=$value"
done
[ -n "$n" ] || exit 0
input=$(head -c "$n")
if [ "$n" -lt 131072 ]; then printf %s "$input" | "$@" "$input"; else printf %s "$input" | "$@"; fi
code=$?
printf '\036cortex:exit:%03d\n' "$code"
printf '\036cortex:exit:%03d\n' "$code" >&2
read -r _
