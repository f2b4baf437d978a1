// Added where a program names it.
import "core-js/actual/structured-clone.js";
