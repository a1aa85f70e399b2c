/* The ways of wrong_ways.bpf.c. */
#ifndef WRONG_WAYS_H
#define WRONG_WAYS_H

enum wrong_way {
  WRONG_INIT,      /* init fails */
  WRONG_INIT_SAYS, /* init finds an error, and succeeds */
  WRONG_INIT_TASK, /* a task that is there already is refused */
  WRONG_QUEUE,     /* a queue that nobody made */
  WRONG_LOCAL_CPU, /* the local queue of a CPU that is not there */
  WRONG_TASK,      /* another task than the one that is enqueued */
  WRONG_ORDER,     /* one queue in both orders */
  WRONG_KICK,
  WRONG_LEAVES, /* asks for its end */
  WRONG_LOOK,   /* dispatch looks into a queue that nobody made */
  WRONG_PLACE,  /* inserts in stopping */
  WRONG_TIMER,  /* a timer's callback finds an error */
};

#endif
