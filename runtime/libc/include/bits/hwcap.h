/* Programs that choose code by the machine's features cannot migrate: AT_HWCAP is 0. */
