"""ramify as a back end of Annif: projects with ``backend=ramify`` (extra ``annif``).

Importing this module registers the back end. Annif imports it through its own settings::

    export ANNIF_CONFIG=ramify.annif.ProductionConfig

or through ``import ramify.annif`` in the file that ``ANNIF_SETTINGS`` names. ``backend`` answers Annif's calls,
``parameters`` maps the settings of a project to those of ``ramify train``, ``subjects`` maps labels to subjects,
``documents`` stores the training documents, ``optimizer`` searches settings for ``annif hyperopt``, and ``choices``
maps the values of a trial to lines of a project.
"""

from ramify.annif.registration import DevelopmentConfig, ProductionConfig, register

register()

__all__ = ["DevelopmentConfig", "ProductionConfig", "register"]
