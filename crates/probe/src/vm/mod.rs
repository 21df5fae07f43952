//! A kernel image in QEMU: boots it with cowherd as its `/init`, and reads the results from its serial line.
