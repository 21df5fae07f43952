------------------------------- MODULE Cowlet -------------------------------
(* The shared model of README.md, for TLC. *)
EXTENDS Naturals

CONSTANTS Stores, Passes, Transfers
VARIABLES pte, refs, cells, count, cache, slot, threads, forked, reclaimer, device
vars == <<pte, refs, cells, count, cache, slot, threads, forked, reclaimer, device>>

Frames == 0..3
None == <<"none", 0>>
Swap == <<"swap", 0>>
Kind(p) == pte[p][1]
Frame(p) == pte[p][2]
Present(p) == Kind(p) \in {"ro", "rw"}
Free == {f \in Frames : refs[f] = 0}
Lowest == CHOOSE f \in Free : \A g \in Free : f <= g
Zero == <<0, 0>>

\* References and cells of all frames, once n references to f are dropped.
Fewer(f, n) == [refs EXCEPT ![f] = @ - n]
CellsAfter(f, n) == IF refs[f] = n THEN [cells EXCEPT ![f] = Zero] ELSE cells

Init ==
    /\ pte = [p \in 0..1 |-> IF p = 0 THEN <<"rw", 0>> ELSE None]
    /\ refs = [f \in Frames |-> IF f = 0 THEN 1 ELSE 0]
    /\ cells = [f \in Frames |-> Zero]
    /\ count = 0 /\ cache = 0 /\ slot = Zero
    /\ threads = [t \in 0..1 |-> [place |-> 0, left |-> Stores, cell |-> 0, value |-> 0]]
    /\ forked = FALSE
    /\ reclaimer = [place |-> 0, left |-> Passes, frame |-> 0]
    /\ device = [place |-> 0, left |-> Transfers, frame |-> 0]

At(t, place) == (t = 1 => forked) /\ threads[t].place = place
Goto(t, place) == threads' = [threads EXCEPT ![t].place = place]
MemoryStays == UNCHANGED <<pte, refs, cells, count, cache, slot>>
OthersStay == UNCHANGED <<forked, reclaimer, device>>

Choose(t) ==
    /\ At(t, 0) /\ threads[t].left > 0
    /\ \E c \in 0..1, v \in 2..3 :
        threads' = [threads EXCEPT ![t] = [place |-> 1, left |-> threads[t].left - 1, cell |-> c, value |-> v]]
    /\ MemoryStays /\ OthersStay

Walk(t) ==
    /\ At(t, 1) /\ OthersStay
    /\ CASE Kind(t) = "rw" ->
            /\ cells' = [cells EXCEPT ![Frame(t)][threads[t].cell + 1] = threads[t].value]
            /\ threads' = [threads EXCEPT ![t].place = 0, ![t].cell = 0, ![t].value = 0]
            /\ UNCHANGED <<pte, refs, count, cache, slot>>
         [] Kind(t) = "ro" ->
            /\ IF refs[Frame(t)] = 1
               THEN pte' = [pte EXCEPT ![t] = <<"rw", Frame(t)>>] /\ UNCHANGED threads
               ELSE Goto(t, 2) /\ UNCHANGED pte
            /\ UNCHANGED <<refs, cells, count, cache, slot>>
         [] Kind(t) = "swap" -> Goto(t, 3) /\ MemoryStays
         [] OTHER ->
            /\ Free # {}
            /\ refs' = [refs EXCEPT ![Lowest] = 1]
            /\ pte' = [pte EXCEPT ![t] = <<"rw", Lowest>>]
            /\ UNCHANGED <<cells, count, cache, slot, threads>>

Copy(t) ==
    /\ At(t, 2) /\ Goto(t, 1) /\ OthersStay
    /\ IF Kind(t) = "ro"
       THEN /\ Free # {}
            /\ LET f == Frame(t)  g == Lowest IN
               /\ refs' = [Fewer(f, 1) EXCEPT ![g] = 1]
               /\ cells' = [CellsAfter(f, 1) EXCEPT ![g] = cells[f]]
               /\ pte' = [pte EXCEPT ![t] = <<"rw", g>>]
            /\ UNCHANGED <<count, cache, slot>>
       ELSE MemoryStays

SwapIn(t) ==
    /\ At(t, 3) /\ OthersStay
    /\ CASE Kind(t) # "swap" -> Goto(t, 1) /\ MemoryStays
         [] Kind(t) = "swap" /\ cache = 0 ->
            /\ Free # {}
            /\ refs' = [refs EXCEPT ![Lowest] = 1]
            /\ cells' = [cells EXCEPT ![Lowest] = slot]
            /\ cache' = Lowest + 1
            /\ UNCHANGED <<pte, count, slot, threads>>
         [] OTHER ->
            /\ Goto(t, 1)
            /\ pte' = [pte EXCEPT ![t] = <<"ro", cache - 1>>]
            /\ count' = count - 1
            /\ IF count = 1
               THEN cache' = 0 /\ slot' = Zero /\ UNCHANGED refs
               ELSE refs' = [refs EXCEPT ![cache - 1] = @ + 1] /\ UNCHANGED <<cache, slot>>
            /\ UNCHANGED cells

Fork ==
    /\ ~forked /\ forked' = TRUE
    /\ CASE Present(0) ->
            /\ pte' = [p \in 0..1 |-> <<"ro", Frame(0)>>]
            /\ refs' = [refs EXCEPT ![Frame(0)] = @ + 1]
            /\ UNCHANGED count
         [] Kind(0) = "swap" -> pte' = [pte EXCEPT ![1] = Swap] /\ count' = count + 1 /\ UNCHANGED refs
         [] OTHER -> UNCHANGED <<pte, refs, count>>
    /\ UNCHANGED <<cells, cache, slot, threads, reclaimer, device>>

ReclaimStays == UNCHANGED <<threads, forked, device>>
Rest == reclaimer' = [reclaimer EXCEPT !.place = 0, !.frame = 0]

Take ==
    /\ reclaimer.place = 0 /\ reclaimer.left > 0
    /\ \E p \in 0..1 :
        /\ Present(p)
        /\ refs' = [refs EXCEPT ![Frame(p)] = @ + 1]
        /\ reclaimer' = [place |-> 1, left |-> reclaimer.left - 1, frame |-> Frame(p)]
    /\ UNCHANGED <<pte, cells, count, cache, slot>> /\ ReclaimStays

Cache ==
    /\ reclaimer.place = 1
    /\ LET f == reclaimer.frame IN
        CASE cache = f + 1 -> reclaimer' = [reclaimer EXCEPT !.place = 2] /\ UNCHANGED <<refs, cells, cache>>
          [] cache = 0 /\ count = 0 ->
            /\ cache' = f + 1
            /\ refs' = [refs EXCEPT ![f] = @ + 1]
            /\ reclaimer' = [reclaimer EXCEPT !.place = 2]
            /\ UNCHANGED cells
          [] OTHER -> refs' = Fewer(f, 1) /\ cells' = CellsAfter(f, 1) /\ Rest /\ UNCHANGED cache
    /\ UNCHANGED <<pte, count, slot>> /\ ReclaimStays

Unmap ==
    /\ reclaimer.place = 2
    /\ LET f == reclaimer.frame
           maps == {p \in 0..1 : cache = f + 1 /\ Present(p) /\ Frame(p) = f} IN
        IF maps = {}
        THEN reclaimer' = [reclaimer EXCEPT !.place = 3] /\ UNCHANGED <<pte, refs, cells, count>>
        ELSE LET p == IF 0 \in maps THEN 0 ELSE 1 IN
            /\ pte' = [pte EXCEPT ![p] = Swap]
            /\ count' = count + 1
            /\ refs' = Fewer(f, 1)
            /\ cells' = CellsAfter(f, 1)
            /\ UNCHANGED reclaimer
    /\ UNCHANGED <<cache, slot>> /\ ReclaimStays

Out ==
    /\ reclaimer.place = 3
    /\ LET f == reclaimer.frame IN
        CASE cache = f + 1 /\ count > 0 /\ refs[f] = 2 ->
            /\ slot' = cells[f]
            /\ cache' = 0
            /\ refs' = Fewer(f, 2)
            /\ cells' = CellsAfter(f, 2)
          [] cache = f + 1 /\ count = 0 ->
            /\ cache' = 0
            /\ refs' = Fewer(f, 2)
            /\ cells' = CellsAfter(f, 2)
            /\ UNCHANGED slot
          [] OTHER -> refs' = Fewer(f, 1) /\ cells' = CellsAfter(f, 1) /\ UNCHANGED <<cache, slot>>
    /\ Rest
    /\ UNCHANGED <<pte, count>> /\ ReclaimStays

DeviceStays == UNCHANGED <<pte, count, cache, slot, threads, forked, reclaimer>>

Get ==
    /\ device.place = 0 /\ device.left > 0 /\ Kind(0) = "rw"
    /\ refs' = [refs EXCEPT ![Frame(0)] = @ + 1]
    /\ device' = [place |-> 1, left |-> device.left - 1, frame |-> Frame(0)]
    /\ UNCHANGED cells /\ DeviceStays

Land ==
    /\ device.place = 1
    /\ cells' = [cells EXCEPT ![device.frame][1] = 1]
    /\ device' = [device EXCEPT !.place = 2]
    /\ UNCHANGED refs /\ DeviceStays

Put ==
    /\ device.place = 2
    /\ refs' = Fewer(device.frame, 1)
    /\ cells' = CellsAfter(device.frame, 1)
    /\ device' = [device EXCEPT !.place = 0, !.frame = 0]
    /\ DeviceStays

Next ==
    \/ \E t \in 0..1 : Choose(t) \/ Walk(t) \/ Copy(t) \/ SwapIn(t)
    \/ Fork \/ Take \/ Cache \/ Unmap \/ Out \/ Get \/ Land \/ Put

Spec == Init /\ [][Next]_vars
=============================================================================
