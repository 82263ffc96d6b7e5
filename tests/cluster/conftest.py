"""Settings of Ray for all tests of the cluster; it reads them when it is imported."""

import os

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
