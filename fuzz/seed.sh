#!/usr/bin/env bash
# Fills corpus/event and corpus/filters: seeds of our own, and the cases of the JSON parsing test suite where it is found,
# each raw and in the places where a value can stand. The suite is another's, and stays where it is.
set -euo pipefail
cd "$(dirname "$0")"
suite=${1:-../../shared/data/json-test-suite}
mkdir -p corpus/event corpus/filters corpus/cursor

count=0
# Writes the second file's content between two texts.
wrap() {
    { printf '%s' "$3"; cat "$2"; printf '%s' "$4"; } >"$1"
    count=$((count + 1))
}
seed() {
    printf '%s' "$2" >"corpus/$1.json"
    count=$((count + 1))
}

if [ -d "$suite" ]; then
    for case in "$suite"/*.json; do
        name=$(basename "$case" .json)
        cp "$case" "corpus/event/$name.raw"
        cp "$case" "corpus/filters/$name.raw"
        chmod u+w "corpus/event/$name.raw" "corpus/filters/$name.raw"
        wrap "corpus/event/$name.data" "$case" '{"event":"e","data":' '}'
        wrap "corpus/event/$name.member" "$case" '{"event":"e","data":{"v":' '}}'
        wrap "corpus/event/$name.masked" "$case" '{"event":"e","meta":{"k":' '}}'
        wrap "corpus/event/$name.before" "$case" '{"event":"e","before":{"v":' '},"after":{"v":[]}}'
        wrap "corpus/event/$name.after" "$case" '{"event":"e","before":{},"after":' '}'
        wrap "corpus/filters/$name.text" "$case" '{"event":' '}'
        wrap "corpus/filters/$name.list" "$case" '{"severities":' '}'
        count=$((count + 2))
    done
else
    echo "no JSON test suite in $suite: only seeds of our own" >&2
fi

seed event/whole '{"id":"0190b3a8-0000-7000-8000-000000000001","event":"a.b","actor":{"id":"u","type":"user"},"target":{"id":"p","type":"product"},"data":{"n":1.50,"password":"c4n4ry-9b1d-c4n4ry"},"meta":{"ip":"::1"},"mode":"async","occurredAt":"2026-01-31T09:30:00.123456789+01:00","correlationId":"c","requestId":"r"}'
seed event/change '{"event":"c","before":{"a":1,"b":[1,{"x":2}],"k":"c4n4ry-9b1d-c4n4ry"},"after":{"a":1.0,"b":[1,{"x":3}],"K":2,"new":"sk_12"},"meta":null}'
number=0
for spelled in 0 -0 0.0 -0.0e5 1.50 1e2 1E+2 1E-400 1e400 0e1000 0e1001 1e-1001 9223372036854775807 -9223372036854775808 \
    18446744073709551615 18446744073709551616 -9223372036854775809 9007199254740993.0 4.9e-324 2e-324 1.8e308; do
    number=$((number + 1))
    seed "event/number-$number" '{"event":"n","data":{"v":'"$spelled"'}}'
    seed "event/same-$number" '{"event":"n","before":{"v":'"$spelled"',"a":1.0},"after":{"a":1,"v":'"$spelled"'0}}'
done
for head in '"id":"c4n4ry-9b1d-c4n4ry"' '"id":5' '"mode":"c4n4ry-9b1d-c4n4ry"' '"mode":{"sync":null}' \
    '"occurredAt":"c4n4ry-9b1d-c4n4ry"' '"occurredAt":"9999-12-31T23:59:59.999999999-23:59"' '"occurredAt":"0000-01-01T00:00:00+23:59"' \
    '"occurredAt":"2026-06-30T23:59:60Z"' '"actor":"c4n4ry-9b1d-c4n4ry"' '"actor":{"id":"c4n4ry-9b1d-c4n4ry","type":5}' \
    '"actor":["c4n4ry-9b1d-c4n4ry","user"]' '"target":{"id":"u","type":"user","name":"c4n4ry-9b1d-c4n4ry"}' '"requestId":""' \
    '"correlationId":["c4n4ry-9b1d-c4n4ry"]' '"data":"c4n4ry-9b1d-c4n4ry"' '"data":{"v":"c4n4ry-9b1d-c4n4ry\u0000"}' \
    '"c4n4ry\n9b1d":1' '"data":{},"data":{}' '"environment":"x"'; do
    number=$((number + 1))
    seed "event/head-$number" '{"event":"h",'"$head"'}'
done
# As long as a payload may be, one byte less and one more.
for length in 2039 2040 2041; do
    text=$(printf "%${length}s" '' | tr ' ' x)
    seed "event/long-$length" '{"event":"l","data":{"v":"'"$text"'"}}'
done
seed event/masks '{"event":"m","data":{"Password":{"a":1},"état":[1],"straße":2,"STRASSE":3,"list":[{"K":"x"},{"K":"mail sk_1 and sk_23x"}]}}'
seed event/twice '{"event":"t","before":{"a":1,"a":2},"after":{"a":2,"a":1}}'
seed event/escapes '{"event":"\u00e9\ud83d\ude00","data":{"\u006b":"\ud800","x\"\\\/\b\f\n\r\t":"\u001f\u007f\u0000"}}'
# As deep as a payload may be, and one level deeper.
brackets() {
    printf "%0.s$2" $(seq "$1")
}
for levels in 60 61 62 63 64; do
    value=$(brackets "$levels" '[')$(brackets "$levels" ']')
    seed "event/deep-$levels" '{"event":"d","data":{"v":'"$value"'},"meta":{"k":'"$value"'}}'
    seed "event/deep-before-$levels" '{"event":"d","before":{"v":'"$value"'},"after":{"v":'"$value"'}}'
    seed "event/deep-after-$levels" '{"event":"d","before":{},"after":{"v":'"$value"'}}'
done
seed filters/all '{"event":"e","actorId":"a","actorType":"t","targetId":"x","targetType":"y","correlationId":"c","requestId":"r","environment":"p","outcome":"failure","errorCode":"E","severity":"error","severities":["error","fatal"],"errorsOnly":true,"mode":"sync","from":"2026-01-31T09:30:00Z","to":"2026-02-01T00:00:00.5+01:00","order":"asc","limit":500,"offset":7}'
seed filters/backwards '{"from":"2026-02-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}'
seed filters/far '{"from":"9999-12-31T23:59:59.999999999-23:59","to":"0000-01-01T00:00:00+23:59"}'
seed filters/nulls '{"event":null,"severities":null,"errorsOnly":null,"mode":null,"from":null,"order":null,"limit":null,"offset":null}'
for filter in '"limit":0' '"limit":1' '"limit":501' '"limit":4294967296' '"offset":1' '"offset":9223372036854775808' '"order":"asc"' \
    '"mode":{"sync":null}' '"order":{"asc":null}' '"event":"\u0000"' '"severities":["c4n4ry-9b1d-c4n4ry\u0000"]' '"mode":"c4n4ry-9b1d-c4n4ry"' \
    '"from":"c4n4ry-9b1d-c4n4ry"' '"severity":["c4n4ry-9b1d-c4n4ry"]' '"errorsOnly":"c4n4ry-9b1d-c4n4ry"' '"event":1,"event":2' '"x\ny":1'; do
    number=$((number + 1))
    seed "filters/one-$number" "{$filter}"
done
echo "$count seeds"
