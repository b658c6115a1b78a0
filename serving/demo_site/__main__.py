"""`python -m serving.demo_site`: fetch the tracker that the demo site loads."""

import sys

from serving.demo_site.tracker import TrackerError, install
from serving.start import read_service_config

try:
    folder = install(read_service_config().home)
except TrackerError as error:
    sys.exit(f"demo site: {error}")
sys.stdout.write(f"The tracker is in {folder}. Open /demo on the running service.\n")
