//! 9 to 14, 17 and 22: who wrote a state, whether it is loaded, and the switch.
