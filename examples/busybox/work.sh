# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Work for busybox's shell and its applets, which it executes as processes of itself: usage: work.sh ROUNDS
rounds=$1

fibonacci() {
	if [ "$1" -lt 2 ]; then
		echo "$1"
	else
		echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2)))))
	fi
}

words() {
	seq "$1" "$2" | awk '{ x = ($1 * 7919 + 13) % 10007; printf "%05d %s\n", x, (x % 3 ? "odd" : "even") }'
}

round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	echo "round $round"
	words $round $((round + 3000)) >words.txt
	sort words.txt | uniq -c | md5sum
	sed -n 's/^\([0-9]*\) even$/<\1>/p' words.txt | sort -r | head -n 3
	grep -c odd words.txt
	mkdir -p "dir$round"
	split -l 500 words.txt "dir$round/part-"
	tar cf - "dir$round" | gzip | gunzip | tar tf - | sort
	cat "dir$round"/part-* | cmp - words.txt && echo same
	find "dir$round" -name 'part-a[b-d]' -size +0 | sort | xargs sha256sum
	echo "2 ^ ($round * 40) / 7" | bc
	fibonacci 8
	rm -r "dir$round"
	while read -r number kind; do
		case $kind in
		even) sum=$((sum + ${number#0000} % 10)) ;;
		esac
	done <<-END
		$(tail -n 50 words.txt | sed 's/^0*//')
	END
	echo "sum $sum"
done
trap 'echo "end $round"' EXIT
