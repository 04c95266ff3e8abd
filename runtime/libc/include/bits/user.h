/* Registers have no neutral form; debuggers cannot migrate. */
