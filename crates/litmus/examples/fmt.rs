fn main() {
    for name in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&name).unwrap();
        match cowherd_litmus::format(&text) {
            Ok(t) => {
                print!("{t}");
                assert_eq!(cowherd_litmus::format(&t).unwrap(), t);
                if let Ok(a) = cowherd_litmus::parse("a", &text) {
                    assert_eq!(a, cowherd_litmus::parse("b", &t).unwrap());
                    println!("---\n{a}");
                }
            }
            Err(d) => print!(
                "{}",
                cowherd_litmus::render(&d, &text, cowherd_litmus::Colour::Never)
            ),
        }
    }
}
