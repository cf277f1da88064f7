"""The parts of the operator's command, one module for each thing it works on."""
