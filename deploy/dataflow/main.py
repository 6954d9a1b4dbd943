"""What a Flex template starts: one pipeline, with the template's parameters as its flags."""

import sys

from beam_pipelines.launcher.dataflow.template import run

if __name__ == '__main__':
    sys.exit(run(sys.argv[1:]))
