"""ccanalysis: how far contact-centre monitoring data can be believed, and what to do about what it says."""

__version__ = "0.1.0"
