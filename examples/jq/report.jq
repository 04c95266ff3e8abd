def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2] + .[length / 2 - 1]) / 2 end;
{
  records: length,
  names: (group_by(.name) | map({name: .[0].name, count: length, median: (map(.value) | median)})),
  tags: (reduce .[].tags[] as $tag ({}; .[$tag] += 1)),
  spread: (map(.value) | (add / length) as $mean | map(. - $mean | . * .) | add / length | sqrt),
  texts: (map("\(.id):\(.name | explode | reverse | implode | ascii_upcase)") | map(@base64) | join(",") | length),
  steps: ([range(1; 400) | [recurse(if . % 2 == 0 then . / 2 else 3 * . + 1 end; . > 1)] | length] | add)
}
