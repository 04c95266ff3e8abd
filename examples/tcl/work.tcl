# Work of many kinds for an interpreter; prints the same at every run. Usage: tclsh work.tcl ROUNDS
set rounds [lindex $argv 0]
expr {srand(4711)}

proc overflow {depth} { expr {1 + [overflow [incr depth]]} }

proc lists {} {
    set list {}
    for {set i 0} {$i < 2000} {incr i} { lappend list [expr {int(rand() * 100000)}] }
    set sum 0
    foreach value [lsort -integer $list] { set sum [expr {($sum * 31 + $value) % 1000003}] }
    return $sum
}

proc texts {} {
    set text ""
    for {set i 0} {$i < 1500} {incr i} { append text [format %c [expr {97 + int(rand() * 26)}]] }
    set found [regexp -all -inline {([aeiou])([^aeiou]{2,})} $text]
    return "[llength $found] [string length [regsub -all {[xyz]+} $text {<&>}]]"
}

proc dictionaries {} {
    set all [dict create]
    for {set i 0} {$i < 3000} {incr i} { dict lappend all [expr {$i * 7919 % 251}] [format %x $i] }
    return [string length [dict get $all 17]]
}

proc power {base exponent} {
    set result 1
    for {set i 0} {$i < $exponent} {incr i} { set result [expr {$result * $base}] }
    return [expr {$result % 1000000007}]
}

# A coroutine has a stack of its own in the interpreter.
proc squares {} { yield; for {set i 0} {1} {incr i} { yield [expr {$i * $i}] } }

for {set round 1} {$round <= $rounds} {incr round} {
    coroutine next$round squares
    set sum 0
    for {set i 0} {$i < 500} {incr i} { incr sum [next$round] }
    set deep [catch {overflow 0} message]
    puts "$round [lists] [texts] [dictionaries] [power 3 900] $sum $deep $message"
    flush stdout
}
puts "end $rounds"
