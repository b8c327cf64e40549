"""One experiment: build, solve or train, predict, compare, write, draw."""
