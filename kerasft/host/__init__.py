"""The plugin host: finds installed plugins, loads each one apart, and answers who provides what.

Plugins are entry points of the group ``kerasft.v1``. The loader is our own because pluggy's stops at the
first import that fails and drops duplicate names in silence. A plugin that is broken costs one line on stderr
and nothing else.

Environment variables, read when the host is loaded so that child processes inherit them:

- ``KERASFT_PLUGINS`` says which plugins load; see `kerasft.host.selection`.
- ``KERASFT_STRICT=1`` raises `kerasft.errors.PluginError` for the first broken plugin instead of printing its
  line.

Example::

    host = kerasft.host.load()
    spec, preset = host.find_backbone("bert/minilm-l6")
"""

from kerasft.host.loading import block, load, no_plugins
from kerasft.host.lookup import Host
from kerasft.host.records import Plugin, Provided

__all__ = ["Host", "Plugin", "Provided", "block", "load", "no_plugins"]
