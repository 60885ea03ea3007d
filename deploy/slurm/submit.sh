#!/bin/bash
# Submit the scan, and the merge after it.
#
#     /opt/fastface/deploy/slurm/submit.sh
#
# Slurm writes the logs into the folder where you call it: call it in a folder that you may write to.
# afterany: the merge also starts if a task ended with exit code 3 (some videos not done) or at its time limit.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

scan=$(sbatch --parsable "$here/scan.sbatch")
sbatch --dependency="afterany:${scan%%;*}" "$here/merge.sbatch"
