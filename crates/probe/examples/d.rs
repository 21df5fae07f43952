use cowherd_probe::detect::{source::detect,tree::Tree,look::Found};
use cowherd_model::kernels::Kernels;
fn main(){ let k=Kernels::shipped(); for a in std::env::args().skip(1){ let (a,arch)=a.split_once('@').unwrap_or((&a,"x86-64")); let t=Tree::open(a.as_ref()).unwrap(); let d=detect(k,&t,&k.arch(arch).unwrap());
 println!("== {a} {:?} nearest {} expr {:?}", d.version, d.nearest, d.expression.as_ref().map(|e|e.profile.name.clone()));
 for l in d.differs(){println!("DIFF {:?} {:?}",l.feature.name(),l.found);}
 for l in d.unknown(){ if k.feature(l.feature).rule.is_none() || std::env::var("R").is_ok() {println!("UNK {:?} {:?}",l.feature.name(),l.found);}}
 if std::env::var("V").is_ok(){for l in &d.looked{ match &l.found{Found::Present(p)=>println!("+ {} {p}",l.feature.name()),Found::Absent(p)=>println!("- {} {p}",l.feature.name()),_=>{}}}}
}}
