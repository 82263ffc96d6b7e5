"""Settings that Ray reads when it is imported, for all tests of the cluster."""

import os

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
