# SPDX-License-Identifier: Apache-2.0
# A person at a terminal: run -it, exec -it, attach, sizes, keys, signals. tests/integration/person.py is the person.

# shellcheck disable=SC2016

load lib

setup_file() {
    brig_setup tiny
    PERSON=$REPO_TESTS/integration/person.py
    export PERSON
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# person STEP... -- COMMAND...
person() {
    run timeout 60 python3 "$PERSON" "$@"
    assert_ok
}
state() { container_get "$1" '{{.State.Status}} {{.State.ExitCode}}'; }
is_state() { [ "$(state "$1")" = "$2" ]; }

@test "run -it: a terminal of its own, the exit code, the person's terminal as before" {
    person 'expect:/ # ' raw 'send:tty; test -t 0 -a -t 1 -a -t 2 && echo "y""es"\r' 'expect:/dev/pts/\d+' 'expect:yes' \
        'send:exit 7\r' end:7 -- "$BRIG" run --rm -it --net none tiny sh
    refute_line '^brig:'
}

@test "run -it: the container has the size of the terminal, and follows it" {
    person size:33x101 'expect:/ # ' 'send:stty size\r' 'expect:33 101' size:50x132 \
        'send:sleep 0.3; stty size\r' 'expect:50 132' 'send:exit\r' end:0 -- "$BRIG" run --rm -it --net none tiny sh
}

@test "run -it and exec -it: the size stands before the program runs" {
    person size:34x102 'expect:34 102' end:0 -- "$BRIG" run -it --net none tiny stty size
    brig run -d --name sized --net none tiny sleep 600 >/dev/null
    person size:35x103 'expect:35 103' end:0 -- "$BRIG" exec -it sized stty size
}

@test "run -it: a program inside is told of a new size" {
    person 'expect:ready' size:40x90 'expect:now 40 90' end:0 -- "$BRIG" run --rm -it --net none tiny \
        sh -c 'trap "echo now \$(stty size); exit 0" WINCH; echo ready; while :; do sleep 0.1; done'
}

@test "run -it: ctrl-c goes to the program in front, ctrl-d ends the input" {
    person 'expect:/ # ' 'send:echo a""b; sleep 100\r' 'expect:ab' raw 'send:\x03' 'expect:/ # ' 'send:echo $?\r' 'expect:130' \
        'expect:/ # ' 'send:\x04' end:0 -- "$BRIG" run --rm -it --net none tiny sh
}

@test "run -it: a program that ends by a signal" {
    person 'expect:here' 'send:\x03' end:130 -- "$BRIG" run --rm -it --init --net none tiny \
        sh -c 'echo here; exec sleep 100'
}

@test "run -t without -i shows colours and takes no input" {
    person 'expect:\x1b\[31mred' 'send:x\r' end:3 -- "$BRIG" run --rm -t --net none tiny \
        sh -c 'printf "\033[31mred\n"; sleep 0.5; exit 3'
}

@test "ctrl-p ctrl-q leaves it running; attach comes back to it; its exit code is kept" {
    person 'expect:/ # ' 'send:V=kept\r' 'expect:/ # ' 'send:\x10\x11' end:0 -- \
        "$BRIG" run -it --name left --net none tiny sh
    is_state left "running 0"
    # Twice: by attach, which can be left as well.
    person 'send:\r' 'expect:/ # ' 'send:echo got-$V\r' 'expect:got-kept' 'send:\x10\x11' end:0 -- "$BRIG" attach left
    is_state left "running 0"
    person 'send:\r' 'expect:/ # ' size:44x111 'send:sleep 0.3; stty size\r' 'expect:44 111' 'send:exit 9\r' end:9 -- \
        "$BRIG" attach left
    wait_for 5 is_state left "exited 9"
}

@test "the first of the detach keys alone reaches the program" {
    person 'expect:ready' 'send:\x10a\r' 'expect:\^Pa|020   a' 'send:\x04\x04' end:0 -- "$BRIG" run --rm -it --net none tiny \
        sh -c 'stty -echoctl -echo; echo ready; head -c 2 | od -c'
}

@test "--detach-keys: others, and none" {
    person 'expect:/ # ' 'send:\x10\x11' 'never:detach' 'send:\x01d' end:0 -- \
        "$BRIG" run -it --detach-keys ctrl-a,d --name keys --net none tiny sh
    is_state keys "running 0"
    person 'send:\r' 'expect:/ # ' 'send:xq' end:0 -- "$BRIG" attach --detach-keys x,q keys
    is_state keys "running 0"
    person 'send:\x15\r' 'expect:/ # ' 'send:\x10\x11\x15' 'send:exit 4\r' end:4 -- "$BRIG" attach --detach-keys "" keys
    run brig attach --detach-keys ctrl-ä keys
    assert_exit 125
}

@test "a terminal that goes away leaves the container running" {
    person 'expect:/ # ' hangup -- "$BRIG" run -it --name alone --net none tiny sh
    is_state alone "running 0"
    person 'send:\r' 'expect:/ # ' 'send:exit 2\r' end:2 -- "$BRIG" attach alone
}

@test "run -dit, start -ai" {
    brig run -dit --name later --net none tiny sh >/dev/null
    person 'send:\r' 'expect:/ # ' 'send:exit 5\r' end:5 -- "$BRIG" attach later
    wait_for 5 is_state later "exited 5"
    person 'expect:/ # ' 'send:exit 6\r' end:6 -- "$BRIG" start -ai later
}

@test "exec -it: a terminal, its size, ctrl-c, the exit code, and the detach keys" {
    brig run -d --name host --net none tiny sleep 600 >/dev/null
    person size:31x99 'expect:/ # ' raw 'send:stty size\r' 'expect:31 99' size:20x70 'send:sleep 0.3; stty size\r' \
        'expect:20 70' 'send:echo a""b; sleep 50\r' 'expect:ab' 'send:\x03' 'expect:/ # ' 'send:exit 8\r' end:8 -- \
        "$BRIG" exec -it host sh
    person 'expect:ready' 'send:\x10\x11' end:0 -- "$BRIG" exec -it host sh -c 'echo ready; exec sleep 333'
    is_state host "running 0"
}

@test "-t with a pipe as input is refused with the way out" {
    run brig run --rm -it --net none tiny true </dev/null
    assert_exit 125
    assert_line 'TTY|terminal'
    assert_line 'hint: leave -t out'
    # Output may be a pipe.
    run brig run --rm -t --net none tiny echo fine
    assert_ok
    assert_line '^fine'
}

@test "the front stops and goes on as the shell asks, with the terminal in the right mode" {
    person 'expect:/ # ' raw signal:TSTP cooked signal:CONT raw 'send:exit 0\r' end:0 -- \
        "$BRIG" run --rm -it --net none tiny sh
}

@test "a front that is killed leaves the terminal usable by stty, one that is terminated restores it" {
    person 'expect:/ # ' raw 'send:echo $((20 + 22))\r' 'expect:42' signal:TERM cooked -- \
        "$BRIG" run -it --name term --net none tiny sh
}
