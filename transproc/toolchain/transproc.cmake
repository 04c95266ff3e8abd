# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# For CMake: cmake --toolchain $(transproc-cc --print-cmake-toolchain)
# Not a cross build: what is made runs here. Libraries are archives, and only those made by transproc-cc are looked for:
# name the prefixes where such are installed in CMAKE_FIND_ROOT_PATH.
set(CMAKE_C_COMPILER transproc-cc)
set(CMAKE_C_COMPILER_WORKS TRUE)
set(CMAKE_CXX_COMPILER transproc-c++)
set(CMAKE_CXX_COMPILER_WORKS TRUE)
set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
set(BUILD_SHARED_LIBS OFF CACHE BOOL "programs of transproc-cc are static")
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
execute_process(COMMAND transproc-cc -print-sysroot OUTPUT_VARIABLE TRANSPROC_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE)
list(APPEND CMAKE_FIND_ROOT_PATH "${TRANSPROC_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# FindOpenMP reads the library's name from the linker's command line; here the option alone stands for it.
foreach(language C CXX)
  set(OpenMP_${language}_FLAGS -fopenmp CACHE STRING "of transproc-cc")
  set(OpenMP_${language}_LIB_NAMES omp CACHE STRING "of transproc-cc")
endforeach()
set(OpenMP_omp_LIBRARY -fopenmp CACHE STRING "of transproc-cc")
