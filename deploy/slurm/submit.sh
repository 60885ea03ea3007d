#!/bin/bash
# Submit the scan, and the merge after it.
#
#     deploy/slurm/submit.sh
#
# afterany: the merge also starts if a task ended with exit code 3 (some videos not done) or at its time limit.
set -euo pipefail
cd "$(dirname "$0")"

scan=$(sbatch --parsable scan.sbatch)
sbatch --dependency="afterany:${scan%%;*}" merge.sbatch
