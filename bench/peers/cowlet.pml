/* The shared model of README.md, for SPIN: STORES, PASSES and TRANSFERS are given with -D. One process takes every step, each as
 * one transition; the interleaving is in the choice. That, and no variable that a step needs only for itself, keeps the state
 * vector small. */

#define NONE 0
#define SWAP 1
#define RO(f) (2 + f)
#define RW(f) (6 + f)
#define IS_RO(e) (e >= 2 && e < 6)
#define IS_RW(e) (e >= 6)
#define PRESENT(e) (e >= 2)
#define FRAME(e) ((e - 2) % 4)
#define MAPS(e, f) (PRESENT(e) && FRAME(e) == f)
#define FREE (refs[0] == 0 || refs[1] == 0 || refs[2] == 0 || refs[3] == 0)
#define LOWEST (refs[0] == 0 -> 0 : (refs[1] == 0 -> 1 : (refs[2] == 0 -> 2 : 3)))

byte pte[2] = { 6, 0 }; /* RW(0), NONE */
byte refs[4] = { 1, 0, 0, 0 };
byte cell0[4];
byte cell1[4];
byte count, cache, slot0, slot1;
byte place[2];
byte left[2] = STORES;
byte reg[2];
byte value[2];
bool forked;
byte rplace, rframe, dplace, dframe;
byte rleft = PASSES;
byte dleft = TRANSFERS;

inline drop(n) {
    refs[n]--;
    if
    :: refs[n] == 0 -> cell0[n] = 0; cell1[n] = 0
    :: else
    fi
}

inline choose(t, r, v) {
    left[t]--;
    place[t] = 1;
    reg[t] = r;
    value[t] = v
}

inline walk(t) {
    if
    :: IS_RW(pte[t]) ->
        if
        :: reg[t] == 0 -> cell0[FRAME(pte[t])] = value[t]
        :: else -> cell1[FRAME(pte[t])] = value[t]
        fi;
        place[t] = 0;
        reg[t] = 0;
        value[t] = 0
    :: IS_RO(pte[t]) && refs[FRAME(pte[t])] == 1 -> pte[t] = RW(FRAME(pte[t]))
    :: IS_RO(pte[t]) && refs[FRAME(pte[t])] != 1 -> place[t] = 2
    :: pte[t] == SWAP -> place[t] = 3
    :: else -> pte[t] = RW(LOWEST); refs[FRAME(pte[t])] = 1
    fi
}

inline copy(t) {
    if
    :: IS_RO(pte[t]) ->
        /* The place holds the new frame meanwhile. */
        place[t] = LOWEST;
        cell0[place[t]] = cell0[FRAME(pte[t])];
        cell1[place[t]] = cell1[FRAME(pte[t])];
        refs[place[t]] = 1;
        drop(FRAME(pte[t]));
        pte[t] = RW(place[t])
    :: else
    fi;
    place[t] = 1
}

inline swapin(t) {
    if
    :: pte[t] != SWAP -> place[t] = 1
    :: pte[t] == SWAP && cache == 0 ->
        cell0[LOWEST] = slot0;
        cell1[LOWEST] = slot1;
        cache = LOWEST + 1;
        refs[cache - 1] = 1
    :: else ->
        refs[cache - 1]++;
        pte[t] = RO(cache - 1);
        count--;
        if
        :: count == 0 -> slot0 = 0; slot1 = 0; drop(cache - 1); cache = 0
        :: else
        fi;
        place[t] = 1
    fi
}

init {
    do
    /* threads: choose */
    :: d_step { place[0] == 0 && left[0] > 0 -> choose(0, 0, 2) }
    :: d_step { place[0] == 0 && left[0] > 0 -> choose(0, 1, 2) }
    :: d_step { place[0] == 0 && left[0] > 0 -> choose(0, 0, 3) }
    :: d_step { place[0] == 0 && left[0] > 0 -> choose(0, 1, 3) }
    :: d_step { forked && place[1] == 0 && left[1] > 0 -> choose(1, 0, 2) }
    :: d_step { forked && place[1] == 0 && left[1] > 0 -> choose(1, 1, 2) }
    :: d_step { forked && place[1] == 0 && left[1] > 0 -> choose(1, 0, 3) }
    :: d_step { forked && place[1] == 0 && left[1] > 0 -> choose(1, 1, 3) }
    /* threads: go on */
    :: d_step { place[0] == 1 && (pte[0] != NONE || FREE) -> walk(0) }
    :: d_step { forked && place[1] == 1 && (pte[1] != NONE || FREE) -> walk(1) }
    :: d_step { place[0] == 2 && (!IS_RO(pte[0]) || FREE) -> copy(0) }
    :: d_step { forked && place[1] == 2 && (!IS_RO(pte[1]) || FREE) -> copy(1) }
    :: d_step { place[0] == 3 && (pte[0] != SWAP || cache != 0 || FREE) -> swapin(0) }
    :: d_step { forked && place[1] == 3 && (pte[1] != SWAP || cache != 0 || FREE) -> swapin(1) }
    /* fork */
    :: d_step {
        !forked -> forked = true;
        if
        :: PRESENT(pte[0]) ->
            refs[FRAME(pte[0])]++;
            pte[1] = RO(FRAME(pte[0]));
            pte[0] = pte[1]
        :: pte[0] == SWAP -> pte[1] = SWAP; count++
        :: else
        fi
       }
    /* the reclaimer */
    :: d_step {
        rplace == 0 && rleft > 0 && PRESENT(pte[0]) ->
        rleft--; rframe = FRAME(pte[0]); refs[rframe]++; rplace = 1
       }
    :: d_step {
        rplace == 0 && rleft > 0 && PRESENT(pte[1]) ->
        rleft--; rframe = FRAME(pte[1]); refs[rframe]++; rplace = 1
       }
    :: d_step {
        rplace == 1 ->
        if
        :: cache == rframe + 1 -> rplace = 2
        :: cache == 0 && count == 0 -> cache = rframe + 1; refs[rframe]++; rplace = 2
        :: else -> drop(rframe); rplace = 0; rframe = 0
        fi
       }
    :: d_step {
        rplace == 2 ->
        if
        :: cache == rframe + 1 && MAPS(pte[0], rframe) -> pte[0] = SWAP; count++; drop(rframe)
        :: cache == rframe + 1 && !MAPS(pte[0], rframe) && MAPS(pte[1], rframe) ->
            pte[1] = SWAP; count++; drop(rframe)
        :: else -> rplace = 3
        fi
       }
    :: d_step {
        rplace == 3 ->
        if
        :: cache == rframe + 1 && count > 0 && refs[rframe] == 2 ->
            slot0 = cell0[rframe];
            slot1 = cell1[rframe];
            cache = 0;
            drop(rframe)
        :: cache == rframe + 1 && count == 0 -> cache = 0; drop(rframe)
        :: else
        fi;
        drop(rframe);
        rplace = 0;
        rframe = 0
       }
    /* the device */
    :: d_step {
        dplace == 0 && dleft > 0 && IS_RW(pte[0]) ->
        dleft--; dframe = FRAME(pte[0]); refs[dframe]++; dplace = 1
       }
    :: d_step { dplace == 1 -> cell0[dframe] = 1; dplace = 2 }
    :: d_step { dplace == 2 -> drop(dframe); dplace = 0; dframe = 0 }
    od
}
