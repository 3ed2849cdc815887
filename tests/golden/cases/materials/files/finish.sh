#!/bin/sh
echo finished
