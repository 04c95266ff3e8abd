#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#SBATCH --requeue --signal=B:USR1@60 --partition=x86
transproc slurm exec --files input --results output -- ./bzip2 -9 -k -v text
