// The precompiled header of the rooms is made with this file: Ring3Rooms.cmake.
