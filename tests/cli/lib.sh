# Sourced by the tests of the command: a scratch folder, and assertions that say what was run.
set -u
export LC_ALL=C
quoin=${QUOIN_CLI:?QUOIN_CLI is the program to test}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
passed=0
failed=0

note() # OK-or-not WHAT
{
  if [ "$1" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $2"
    sed 's/^/  stdout: /' out | head -n 5
    sed 's/^/  stderr: /' err | head -n 5
  fi
}
# run STATUS ARGS...: the exit status must be STATUS; stdout is in out, stderr in err.
run()
{
  want=$1
  shift
  got=0
  "$quoin" "$@" >out 2>err || got=$?
  [ "$got" = "$want" ]
  note $? "quoin $* gave $got, not $want"
}
out_is() { [ "$(cat out)" = "$1" ]; note $? "stdout is not: $1"; }
out_has() { grep -q -e "$1" out; note $? "stdout has no: $1"; }
err_has() { grep -q -e "$1" err; note $? "stderr has no: $1"; }
err_empty() { [ ! -s err ]; note $? "stderr is not empty"; }
out_empty() { [ ! -s out ]; note $? "stdout is not empty"; }
check() { "$@" >check.log 2>&1; note $? "$*: $(head -n 3 check.log)"; }
finish()
{
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}
skip()
{
  echo "skipped: $1"
  exit 77
}
