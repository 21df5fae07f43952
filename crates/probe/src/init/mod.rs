//! cowherd as `/init` of a virtual machine.
