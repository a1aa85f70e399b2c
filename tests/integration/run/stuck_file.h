/* A file that whoever reads it waits for: of a FUSE file system whose server answers everything that leads there, and then nothing. */
#pragma once

struct stuck_file {
  int fd;           /* open; closing a duplicate of it waits as well */
  char *memory;     /* a page of it, mapped */
  int waiting;      /* a pipe: readable when somebody waits */
  int server;       /* the process that does not answer; who waits gets an error when it is gone */
  char place[64];
};

/* 0, or -1: no FUSE here. Before this process has threads. */
int make_stuck_file(struct stuck_file *file);
/* Ends every wait. The descriptor and the memory stay; who touches them gets errors. */
void release_stuck_file(struct stuck_file *file);
