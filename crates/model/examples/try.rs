use cowherd_explore::*;
use cowherd_model::{kernels::Kernels, lower::lower};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&args[1]).unwrap();
    let test = match cowherd_litmus::parse(&args[1], &text) {
        Ok(t) => t,
        Err(d) => {
            for d in d {
                eprintln!("{d:?}");
            }
            return;
        }
    };
    for k in &args[2..] {
        let profile = Kernels::shipped().profile(k).unwrap().profile;
        let p = match lower(&test, &profile, true) {
            Ok(p) => p,
            Err(e) => {
                println!("{e}");
                return;
            }
        };
        let o = Options::default();
        let r = explore(&p, &o);
        let yes: u64 = r
            .outcomes
            .iter()
            .filter(|(b, _)| p.satisfies(&test.condition.prop, b))
            .map(|(_, o)| o.states)
            .sum();
        let no: u64 = r.outcomes.values().map(|o| o.states).sum::<u64>() - yes;
        println!(
            "{k}: +{yes} -{no} states {} trans {} bytes/state {} deadlocks {:?} flags {:?} in {:?}",
            r.states,
            r.transitions,
            r.bytes as f64 / r.states as f64,
            r.deadlocks,
            cowherd_model::spec::names(r.flags.keys().fold(0, |b, k| b | 1 << k)),
            r.elapsed
        );
        if std::env::var("SHOW").is_ok() {
            let w = shortest(&p, &o, |s| {
                if !p.done(s) {
                    return false;
                }
                let mut b = vec![];
                p.outcome(s, &mut b);
                p.satisfies(&test.condition.prop, &b)
            });
            if let Shortest::Found(w) = w {
                w.replay(&p, |s, st| {
                    let d = p.describe(s, st.actor).unwrap();
                    println!(
                        "  {:?} {} {} [{}]",
                        p.actor(st.actor),
                        d.label,
                        d.function,
                        d.lock
                    );
                });
            } else {
                println!("{w:?}");
            }
        }
        for (bit, f) in &r.flags {
            if std::env::var("FLAGS").is_ok() {
                println!("flag {bit}");
                let w = r.flag_witness(&p, *bit, f.best);
                w.replay(&p, |s, st| {
                    let d = p.describe(s, st.actor).unwrap();
                    println!(
                        "  {:?} {} {} [{}]",
                        p.actor(st.actor),
                        d.label,
                        d.function,
                        d.lock
                    );
                });
            }
        }
    }
}
